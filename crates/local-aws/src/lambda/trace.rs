//! The X-Amzn-Trace-Id header: passed on, with the lineage that detects recursive loops.
//!
//! Lambda counts in `Lineage=1:HASH:COUNT` how often a function occurs in a chain of calls, and
//! stops the chain at about 16 unless the function sets `RecursiveLoop: Allow`.

/// How often a function may occur in one chain (Lambda, "recursive loop detection").
pub(super) const MAX_LINKS: u32 = 16;
/// Maximum length of a header that is passed on; longer ones are replaced.
const MAX_LENGTH: usize = 1024;

/// Returns whether a header can be passed on.
pub(super) fn is_header(header: &str) -> bool {
    header.contains("Root=")
        && header.len() <= MAX_LENGTH
        && header.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// Returns a header that begins a trace: a root, as API Gateway sends it too.
pub(super) fn begin() -> String {
    let seconds = crate::clock::real_now_ms() / 1000;
    let root = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{}", &root[..24])
}

/// Returns a header with this parent and decision in place of its own.
pub(super) fn with_parent(header: &str, parent: &str, sampled: bool) -> String {
    let is_ours = |field: &&str| !field.starts_with("Parent=") && !field.starts_with("Sampled=");
    let mut fields: Vec<_> = header.split(';').map(str::trim).filter(is_ours).collect();
    let (parent, sampled) = (format!("Parent={parent}"), format!("Sampled={}", u8::from(sampled)));
    fields.retain(|field| !field.is_empty());
    let lineage = fields.split_off(1.min(fields.len()));
    [fields, vec![&parent, &sampled], lineage].concat().join(";")
}

/// Returns the root id that all calls of a trace share.
pub(super) fn root(header: &str) -> &str {
    field(header, "Root=").unwrap_or_default()
}

/// Returns the id of the caller's segment.
pub(super) fn parent(header: &str) -> Option<&str> {
    field(header, "Parent=").filter(|id| !id.is_empty())
}

/// Returns whether the trace is sampled; `None` if the caller has not decided.
pub(super) fn sampled(header: &str) -> Option<bool> {
    match field(header, "Sampled=") {
        Some("1") => Some(true),
        Some("0") => Some(false),
        _ => None,
    }
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|field| field.trim_start().strip_prefix(name))
}

/// Returns how often the function already occurs in the chain.
pub(super) fn links(header: &str, function: &str) -> u32 {
    lineage(header).find(|(hash, _)| *hash == hash_of(function)).map_or(0, |(_, count)| count)
}

/// Returns the header with the function added to the lineage.
pub(super) fn with_link(header: &str, function: &str) -> String {
    let own = hash_of(function);
    let others = lineage(header).filter(|(hash, _)| *hash != own);
    let mut parts: Vec<String> = others.map(|(hash, count)| format!("{hash}:{count}")).collect();
    parts.push(format!("{own}:{}", links(header, function) + 1));
    let rest = header.split(';').filter(|field| !field.trim_start().starts_with("Lineage="));
    let rest = rest.collect::<Vec<_>>().join(";");
    format!("{rest};Lineage=1:{}", parts.join("|"))
}

/// Returns the (hash, count) pairs of a header's lineage.
fn lineage(header: &str) -> impl Iterator<Item = (&str, u32)> {
    header
        .split(';')
        .filter_map(|field| field.trim_start().strip_prefix("Lineage=1:"))
        .flat_map(|pairs| pairs.split('|'))
        .filter_map(|pair| pair.split_once(':'))
        .filter_map(|(hash, count)| Some((hash, count.parse().ok()?)))
}

/// Returns eight hexadecimal digits for a function (FNV-1a): stable, and short enough for a header.
fn hash_of(function: &str) -> String {
    let hash = function
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_and_the_decision_are_replaced_and_the_rest_stays() {
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let header = with_parent(root, "00000000000000ff", true);
        assert_eq!(header, format!("{root};Parent=00000000000000ff;Sampled=1"));
        let linked = with_link(&header, "consumer");
        let next = with_parent(&linked, "00000000000000aa", false);
        assert!(next.starts_with(&format!("{root};Parent=00000000000000aa;Sampled=0;Lineage=1:")));
        assert_eq!((parent(&next), sampled(&next)), (Some("00000000000000aa"), Some(false)));
        assert_eq!((parent(root), sampled(root)), (None, None));
        assert_eq!(sampled(&format!("{root};Sampled=?")), None);
    }

    #[test]
    fn each_link_counts_for_its_function_only() {
        let mut header = begin();
        assert!(is_header(&header));
        for _ in 0..3 {
            header = with_link(&header, "consumer");
        }
        header = with_link(&header, "processor");
        assert_eq!(links(&header, "consumer"), 3);
        assert_eq!(links(&header, "processor"), 1);
        assert_eq!(links(&header, "other"), 0);
        assert_eq!(header.matches("Lineage=").count(), 1);
        assert!(header.starts_with("Root=1-"));
    }
}
