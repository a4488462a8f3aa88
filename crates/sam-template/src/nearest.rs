//! The name that a misspelt one most likely means.

/// Returns the name that has most characters in common with `misspelt`, in the same order, if these
/// are more than 60 % of both.
pub(super) fn nearest<'a>(
    misspelt: &str,
    names: impl Iterator<Item = &'a String>,
) -> Option<&'a str> {
    let misspelt = misspelt.to_lowercase();
    let similarity = |name: &str| {
        let shared = 2 * common(&misspelt, &name.to_lowercase());
        shared * 100 / (misspelt.len() + name.len()).max(1)
    };
    let (similarity, name) = names.map(|name| (similarity(name), name)).max()?;
    (similarity > 60).then_some(name)
}

/// Returns the length of the longest common subsequence of two texts.
fn common(left: &str, right: &str) -> usize {
    let mut row = vec![0; right.chars().count() + 1];
    for a in left.chars() {
        let mut diagonal = 0;
        for (at, b) in right.chars().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if a == b { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised_and_a_foreign_one_is_not() {
        let names = ["AudioProcessorFunctionArn", "AudioProcessorTimeout", "ChunkMillis"];
        let names = names.map(str::to_owned);
        let meant = |text| nearest(text, names.iter());
        assert_eq!(meant("AudioProcessorArn"), Some("AudioProcessorFunctionArn"));
        assert_eq!(meant("chunkmillis"), Some("ChunkMillis"));
        assert_eq!(meant("ChunkMilis"), Some("ChunkMillis"));
        assert_eq!(meant("Foo"), None);
        assert_eq!(nearest("a", [].iter()), None);
    }

    #[test]
    fn common_characters_are_counted_in_order() {
        for (left, right, length) in [("", "ab", 0), ("abcd", "acbd", 3), ("kitten", "sitting", 4)]
        {
            assert_eq!((common(left, right), common(right, left)), (length, length));
        }
    }
}
