//! The elements of Matroska that the parser reads, enters, or has to place (RFC 9559 §5.1).
//!
//! A listed element outside its parent indicates damage. Every other id counts as
//! [`Element::Unknown`]: children of masters of which nothing is read, leaves that are not read,
//! extensions, and damaged bytes.

/// Where an element may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// Outside every master.
    Root,
    /// In this master.
    In(Element),
    /// In any master: Void, CRC-32 and unknown ids.
    Any,
}

/// What the parser does with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A master whose children are parsed.
    Master,
    /// A master of which nothing is read: it is skipped as a whole. If its size is unknown, its
    /// children are parsed, to find its end.
    Opaque,
    /// An integer or a float: 8 bytes at most (RFC 8794 §7). A longer one indicates damage.
    Number,
    /// Text or bytes of any length.
    Bytes,
    /// Not listed.
    Unknown,
}

macro_rules! elements {
    ($($name:ident $id:literal $parent:expr, $kind:ident;)*) => {
        /// An element, by its name in RFC 8794 and RFC 9559.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Element {
            $($name,)*
            Unknown,
        }

        impl Element {
            /// Returns the element with this id, marker bits included.
            pub(super) const fn of(id: u32) -> Self {
                match id {
                    $($id => Self::$name,)*
                    _ => Self::Unknown,
                }
            }

            /// Returns the id, marker bits included; 0 of [`Element::Unknown`].
            pub(super) const fn id(self) -> u32 {
                match self {
                    $(Self::$name => $id,)*
                    Self::Unknown => 0,
                }
            }

            /// Returns where the element may stand.
            pub(super) const fn parent(self) -> Parent {
                use Element::*;
                use Parent::{Any, In, Root};
                match self {
                    $($name => $parent,)*
                    Unknown => Any,
                }
            }

            /// Returns what the parser does with the element.
            pub(super) const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)*
                    Self::Unknown => Kind::Unknown,
                }
            }
        }

        #[cfg(test)]
        const ALL: &[Element] = &[$(Element::$name,)*];
    };
}

elements! {
    // Element                id           parent              kind
    Ebml                      0x1A45_DFA3  Root,               Master;
    EbmlVersion               0x4286       In(Ebml),           Number;
    EbmlReadVersion           0x42F7       In(Ebml),           Number;
    EbmlMaxIdLength           0x42F2       In(Ebml),           Number;
    EbmlMaxSizeLength         0x42F3       In(Ebml),           Number;
    DocType                   0x4282       In(Ebml),           Bytes;
    DocTypeVersion            0x4287       In(Ebml),           Number;
    DocTypeReadVersion        0x4285       In(Ebml),           Number;
    DocTypeExtension          0x4281       In(Ebml),           Opaque;
    Void                      0xEC         Any,                Bytes;
    Crc32                     0xBF         Any,                Bytes;

    Segment                   0x1853_8067  Root,               Master;
    SeekHead                  0x114D_9B74  In(Segment),        Opaque;
    Info                      0x1549_A966  In(Segment),        Master;
    Tracks                    0x1654_AE6B  In(Segment),        Master;
    Cluster                   0x1F43_B675  In(Segment),        Master;
    Cues                      0x1C53_BB6B  In(Segment),        Opaque;
    Attachments               0x1941_A469  In(Segment),        Opaque;
    Chapters                  0x1043_A770  In(Segment),        Opaque;
    Tags                      0x1254_C367  In(Segment),        Master;

    TimestampScale            0x2A_D7B1    In(Info),           Number;
    ChapterTranslate          0x6924       In(Info),           Opaque;

    TrackEntry                0xAE         In(Tracks),         Master;
    TrackNumber               0xD7         In(TrackEntry),     Number;
    TrackType                 0x83         In(TrackEntry),     Number;
    Name                      0x536E       In(TrackEntry),     Bytes;
    CodecId                   0x86         In(TrackEntry),     Bytes;
    CodecPrivate              0x63A2       In(TrackEntry),     Bytes;
    CodecDelay                0x56AA       In(TrackEntry),     Number;
    Audio                     0xE1         In(TrackEntry),     Master;
    Video                     0xE0         In(TrackEntry),     Opaque;
    ContentEncodings          0x6D80       In(TrackEntry),     Opaque;
    BlockAdditionMapping      0x41E4       In(TrackEntry),     Opaque;
    TrackOperation            0xE2         In(TrackEntry),     Opaque;
    TrackTranslate            0x6624       In(TrackEntry),     Opaque;
    SamplingFrequency         0xB5         In(Audio),          Number;
    OutputSamplingFrequency   0x78B5       In(Audio),          Number;
    Channels                  0x9F         In(Audio),          Number;
    BitDepth                  0x6264       In(Audio),          Number;

    Timestamp                 0xE7         In(Cluster),        Number;
    SilentTracks              0x5854       In(Cluster),        Opaque;
    Position                  0xA7         In(Cluster),        Number;
    PrevSize                  0xAB         In(Cluster),        Number;
    SimpleBlock               0xA3         In(Cluster),        Bytes;
    EncryptedBlock            0xAF         In(Cluster),        Bytes;
    BlockGroup                0xA0         In(Cluster),        Master;
    Block                     0xA1         In(BlockGroup),     Bytes;
    BlockVirtual              0xA2         In(BlockGroup),     Bytes;
    BlockAdditions            0x75A1       In(BlockGroup),     Opaque;
    BlockDuration             0x9B         In(BlockGroup),     Number;
    ReferencePriority         0xFA         In(BlockGroup),     Number;
    ReferenceBlock            0xFB         In(BlockGroup),     Number;
    ReferenceVirtual          0xFD         In(BlockGroup),     Number;
    CodecState                0xA4         In(BlockGroup),     Bytes;
    DiscardPadding            0x75A2       In(BlockGroup),     Number;
    Slices                    0x8E         In(BlockGroup),     Opaque;
    ReferenceFrame            0xC8         In(BlockGroup),     Opaque;

    Tag                       0x7373       In(Tags),           Master;
    Targets                   0x63C0       In(Tag),            Opaque;
    SimpleTag                 0x67C8       In(Tag),            Master;
    TagName                   0x45A3       In(SimpleTag),      Bytes;
    TagString                 0x4487       In(SimpleTag),      Bytes;
}

#[cfg(test)]
mod tests {
    use super::super::vint::{self, Read, Widths};
    use super::*;

    #[test]
    fn every_id_is_a_vint_and_stands_in_one_row() {
        for (row, &element) in ALL.iter().enumerate() {
            let bytes = element.id().to_be_bytes();
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            let read = vint::read_id(&bytes[zeros..], Widths::DEFAULT);
            assert_eq!(read, Read::Done(element.id(), 4 - zeros), "{element:?}");
            assert_eq!(ALL.iter().position(|other| other.id() == element.id()), Some(row));
            assert_eq!(Element::of(element.id()), element);
        }
    }

    #[test]
    fn every_parent_is_a_master_on_the_way_to_the_root() {
        for &element in ALL {
            let (mut parent, mut steps) = (element.parent(), 0);
            while let Parent::In(master) = parent {
                assert!(matches!(master.kind(), Kind::Master), "{element:?} in {master:?}");
                parent = master.parent();
                steps += 1;
            }
            assert!(steps <= 4 && (steps == 0 || parent == Parent::Root), "{element:?}");
        }
    }
}
