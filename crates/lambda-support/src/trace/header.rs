//! The fields of a trace header: `Root=1-…;Parent=…;Sampled=1;Lineage=…`.

/// The root and the parent of a sampled trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sampled {
    /// `1-` 8 hexadecimal digits `-` 24 hexadecimal digits.
    pub(super) trace_id: String,
    /// 16 hexadecimal digits: the id of the segment that the invocation belongs to.
    pub(super) parent_id: String,
}

/// Returns the ids of a header whose trace is sampled; `None` for any other header.
pub(super) fn sampled(header: &str) -> Option<Sampled> {
    let trace_id = field(header, "Root").filter(|root| is_trace_id(root))?.to_owned();
    let parent_id = field(header, "Parent").filter(|id| is_hex(id, 16))?.to_owned();
    (field(header, "Sampled") == Some("1")).then_some(Sampled { trace_id, parent_id })
}

/// Returns `header` with another parent and sampling decision. Other fields stay, among them the
/// `Lineage` with which Lambda detects recursive loops.
pub(super) fn with_parent(header: &str, parent_id: &str, sampled: bool) -> String {
    let replaced = |field: &str| match field.trim_start().split('=').next() {
        Some("Parent") => format!("Parent={parent_id}"),
        Some("Sampled") => format!("Sampled={}", u8::from(sampled)),
        _ => field.to_owned(),
    };
    header.split(';').map(replaced).collect::<Vec<_>>().join(";")
}

/// Returns whether two headers belong to the same trace.
pub fn same_trace(one: &str, other: &str) -> bool {
    field(one, "Root").is_some_and(|root| field(other, "Root") == Some(root))
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = header.split(';').filter_map(|field| field.trim_start().split_once('='));
    fields.find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn is_trace_id(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next() == Some("1")
        && parts.next().is_some_and(|time| is_hex(time, 8))
        && parts.next().is_some_and(|random| is_hex(random, 24))
        && parts.next().is_none()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:2";

    #[test]
    fn only_a_sampled_trace_has_ids() {
        let ids = sampled(HEADER).unwrap();
        assert_eq!(ids.trace_id, "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(ids.parent_id, "53995c3f42cd8ad8");
        for other in [
            &HEADER.replace("Sampled=1", "Sampled=0"),
            &HEADER.replace("Sampled=1", "Sampled=?"),
            &HEADER.replace("Parent=5", "Parent="),
            &HEADER.replace("-5759", "-x759"),
            "Root=1-a",
            "",
        ] {
            assert_eq!(sampled(other), None, "{other}");
        }
    }

    #[test]
    fn a_new_parent_leaves_the_lineage() {
        let below = with_parent(HEADER, "00000000000000ff", false);
        let wanted = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00000000000000ff;Sampled=0;\
                      Lineage=1:a:2";
        assert_eq!(below, wanted);
    }

    #[test]
    fn headers_of_one_trace_have_the_same_root() {
        assert!(same_trace(HEADER, "Root=1-5759e988-bd862e3fe1be46a994272793"));
        assert!(!same_trace(HEADER, "Root=1-5759e988-000000000000000000000000"));
        assert!(!same_trace("", ""));
    }
}
