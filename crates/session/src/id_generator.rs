//! Generates session ids from easily pronounced words and a number, and event UUIDs.

use crate::{SessionId, ports::Random};

/// Number of words in each list.
const WORDS: usize = 256;

#[rustfmt::skip]
const ADJECTIVES: [&str; WORDS] = [
    "able", "active", "agile", "airy", "alert", "alpine", "amber", "amiable", "ample", "ancient",
    "apt", "arctic", "artful", "ashen", "autumn", "aware", "azure", "balmy", "basic", "beloved",
    "blessed", "blissful", "blue", "bold", "bonny", "bouncy", "brave", "breezy", "bright", "brisk",
    "broad", "bronze", "bubbly", "buoyant", "calm", "candid", "careful", "caring", "central",
    "charming", "cheerful", "chief", "civic", "classic", "clean", "clear", "clever", "close",
    "coastal", "colorful", "comic", "constant", "cool", "copper", "cordial", "cosmic", "cozy",
    "creamy", "crimson", "crisp", "courtly", "curious", "curly", "dainty", "dapper", "daring",
    "dazzling", "dear", "decent", "deep", "definite", "deft", "delicate", "dependable", "diligent",
    "distant", "double", "dreamy", "dual", "dusky", "dutiful", "dynamic", "eager", "early",
    "earnest", "eastern", "easy", "elated", "electric", "elegant", "eloquent", "emerald", "endless",
    "enduring", "equal", "eternal", "even", "exact", "excellent", "expert", "fabled", "fair",
    "faithful", "famous", "fancy", "fast", "fearless", "festive", "fine", "firm", "first", "fleet",
    "floral", "fluent", "fluffy", "fond", "foremost", "formal", "frank", "free", "fresh",
    "friendly", "frosty", "frugal", "full", "funny", "future", "gallant", "generous", "genial",
    "gentle", "genuine", "giant", "gifted", "glad", "glossy", "glowing", "golden", "good",
    "graceful", "gracious", "grand", "grateful", "great", "green", "handy", "happy", "hardy",
    "harmonic", "hearty", "helpful", "hidden", "honest", "hopeful", "huge", "humble", "icy",
    "ideal", "inner", "inventive", "ivory", "jade", "joint", "jolly", "jovial", "joyful", "just",
    "keen", "kind", "large", "lasting", "leafy", "legal", "level", "light", "limber", "linen",
    "little", "lively", "local", "lofty", "logical", "long", "lovely", "loyal", "lucid", "lucky",
    "luminous", "lunar", "magic", "main", "major", "maroon", "mature", "meek", "mellow", "merry",
    "mighty", "mild", "mindful", "minty", "misty", "modern", "modest", "mossy", "musical", "mutual",
    "narrow", "native", "natural", "neat", "neutral", "new", "nimble", "noble", "northern", "novel",
    "olive", "open", "optimal", "orange", "orderly", "original", "outer", "pastel", "patient",
    "peaceful", "pearly", "perfect", "perky", "placid", "plain", "playful", "pleasant", "plucky",
    "plush", "polar", "polished", "polite", "proud", "quick", "quiet", "radiant", "rapid", "ready",
    "royal", "silent", "silver", "steady", "sunny", "swift", "tender", "vivid", "warm", "wise",
    "young",
];

#[rustfmt::skip]
const NOUNS: [&str; WORDS] = [
    "acorn", "alder", "almond", "alpaca", "anchor", "antler", "apple", "apricot", "arch", "arrow",
    "aspen", "aster", "aurora", "avocado", "badger", "bamboo", "banjo", "banner", "barley", "basin",
    "basket", "bay", "beach", "beacon", "bear", "beaver", "beech", "bell", "berry", "birch",
    "bison", "blossom", "boat", "bobcat", "bonfire", "bough", "breeze", "bridge", "brook",
    "buffalo", "burrow", "butterfly", "cabin", "cactus", "camel", "candle", "canoe", "canopy",
    "canyon", "caramel", "caravan", "cardinal", "caribou", "carpet", "carrot", "cascade", "castle",
    "cedar", "cello", "chapel", "cherry", "chestnut", "chime", "cinnamon", "circle", "citrus",
    "cliff", "cloud", "clover", "coast", "cobble", "coconut", "comet", "compass", "condor", "copse",
    "coral", "cottage", "cougar", "cove", "coyote", "crane", "crater", "creek", "cricket", "crocus",
    "crystal", "current", "cypress", "daffodil", "dahlia", "daisy", "dawn", "deer", "delta",
    "desert", "dewdrop", "diamond", "dogwood", "dolphin", "dove", "dragonfly", "drum", "dune",
    "eagle", "elk", "elm", "ember", "equinox", "estuary", "evergreen", "fable", "falcon", "fern",
    "ferry", "field", "fig", "finch", "fir", "fjord", "flamingo", "flint", "flute", "foothill",
    "forest", "fountain", "fox", "foxglove", "frost", "galaxy", "gale", "garden", "gazelle",
    "geyser", "ginger", "glacier", "glade", "glen", "goose", "gorge", "granite", "grape", "grotto",
    "grove", "gull", "hamlet", "hammock", "harbor", "harp", "harvest", "hawk", "hazel", "heath",
    "hedge", "heron", "hickory", "hill", "hollow", "honey", "horizon", "hornet", "hummingbird",
    "ibex", "ibis", "iceberg", "inlet", "iris", "island", "ivy", "jackal", "jaguar", "jasmine",
    "jay", "juniper", "kayak", "kelp", "kestrel", "kettle", "kingfisher", "kite", "koala", "lagoon",
    "lake", "lantern", "larch", "lark", "laurel", "lava", "lavender", "leaf", "ledge", "lemon",
    "leopard", "lichen", "lily", "lime", "linden", "lion", "lizard", "llama", "lotus", "lynx",
    "macaw", "magnolia", "magpie", "mallard", "mango", "maple", "marble", "marigold", "marina",
    "marsh", "meadow", "melody", "melon", "mesa", "meteor", "mint", "mirror", "monsoon", "moon",
    "moose", "moss", "moth", "mountain", "mulberry", "mushroom", "narwhal", "ocean", "orchard",
    "otter", "owl", "panda", "pebble", "pine", "planet", "prairie", "raven", "reef", "river",
    "robin", "sail", "shepherd", "shore", "sparrow", "spring", "star", "stone", "summit", "sunrise",
    "thunder", "tiger", "valley", "violet", "willow", "wolf",
];

/// Number of digits at the first attempt: 256 · 256 · 900, or 59 million ids.
const DIGITS: u32 = 3;

impl SessionId {
    /// Generates an id for the given attempt (0 is the first). The number gains one digit every two
    /// attempts, so that a full table does not run out of ids.
    #[must_use]
    pub fn generate(random: &impl Random, attempt: u32) -> Self {
        let digits = DIGITS.saturating_add(attempt / 2).min(12);
        let lowest = 10_u64.pow(digits - 1);
        let number = lowest + random.next_u64() % (9 * lowest);
        let word =
            |words: &[&'static str; WORDS]| words[(random.next_u64() % WORDS as u64) as usize];
        Self::from_parts(word(&ADJECTIVES), word(&NOUNS), number)
    }
}

/// Returns a random (version 4) UUID as text.
pub(crate) fn uuid(random: &impl Random) -> String {
    let (high, low) = (random.next_u64(), random.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts up by a large odd step, so that every draw differs.
    struct Walk(AtomicU64);

    impl Random for Walk {
        fn next_u64(&self) -> u64 {
            const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
            let x = self.0.fetch_add(STEP, Ordering::Relaxed);
            (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        }
    }

    #[test]
    fn words_are_unique() {
        let words: BTreeSet<_> = ADJECTIVES.iter().chain(&NOUNS).collect();
        assert_eq!(words.len(), 2 * WORDS);
        assert!(words.iter().all(|word| word.len() <= 12), "short enough to be read out");
    }

    #[test]
    fn the_number_grows_with_the_attempts() {
        let digits = |attempt| {
            let id = SessionId::generate(&Walk(1.into()), attempt);
            id.as_str().rsplit('-').next().unwrap().len()
        };
        let grown: Vec<_> = [0, 1, 2, 3, 4, 100].map(digits).into();
        assert_eq!(grown, [3, 3, 4, 4, 5, 12]);
    }

    #[test]
    fn a_uuid_is_a_uuid() {
        let random = Walk(1.into());
        let ids: Vec<String> = (0..100).map(|_| uuid(&random)).collect();
        for id in &ids {
            let groups: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4");
            assert!("89ab".contains(&id[19..20]));
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1);
        }
    }

    proptest! {
        #[test]
        fn every_draw_is_a_session_id(seed in any::<u64>(), attempt in any::<u32>()) {
            let id = SessionId::generate(&Walk(seed.into()), attempt);
            prop_assert_eq!(id.as_str().parse::<SessionId>(), Ok(id));
        }
    }
}
