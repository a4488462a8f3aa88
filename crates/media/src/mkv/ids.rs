//! Element ids of Matroska that mean something here (RFC 9559).

pub(super) const EBML: u32 = 0x1A45_DFA3;
pub(super) const VOID: u32 = 0xEC;
pub(super) const CRC32: u32 = 0xBF;
pub(super) const SEGMENT: u32 = 0x1853_8067;

pub(super) const SEEK_HEAD: u32 = 0x114D_9B74;
pub(super) const INFO: u32 = 0x1549_A966;
pub(super) const TRACKS: u32 = 0x1654_AE6B;
pub(super) const CLUSTER: u32 = 0x1F43_B675;
pub(super) const CUES: u32 = 0x1C53_BB6B;
pub(super) const ATTACHMENTS: u32 = 0x1941_A469;
pub(super) const CHAPTERS: u32 = 0x1043_A770;
pub(super) const TAGS: u32 = 0x1254_C367;

pub(super) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
pub(super) const CHAPTER_TRANSLATE: u32 = 0x6924;

pub(super) const TRACK_ENTRY: u32 = 0xAE;
pub(super) const TRACK_NUMBER: u32 = 0xD7;
pub(super) const TRACK_TYPE: u32 = 0x83;
pub(super) const TRACK_NAME: u32 = 0x536E;
pub(super) const CODEC_ID: u32 = 0x86;
pub(super) const CODEC_PRIVATE: u32 = 0x63A2;
pub(super) const CODEC_DELAY: u32 = 0x56AA;
pub(super) const CONTENT_ENCODINGS: u32 = 0x6D80;
pub(super) const MAPPING: u32 = 0x41E4;
pub(super) const TRACK_OPERATION: u32 = 0xE2;
pub(super) const TRACK_TRANSLATE: u32 = 0x6624;
pub(super) const AUDIO: u32 = 0xE1;
pub(super) const VIDEO: u32 = 0xE0;
pub(super) const SAMPLING_FREQUENCY: u32 = 0xB5;
pub(super) const OUTPUT_SAMPLING_FREQUENCY: u32 = 0x78B5;
pub(super) const CHANNELS: u32 = 0x9F;
pub(super) const BIT_DEPTH: u32 = 0x6264;

pub(super) const TIMESTAMP: u32 = 0xE7;
pub(super) const POSITION: u32 = 0xA7;
pub(super) const PREV_SIZE: u32 = 0xAB;
pub(super) const SILENT_TRACKS: u32 = 0x5854;
pub(super) const SIMPLE_BLOCK: u32 = 0xA3;
pub(super) const ENCRYPTED_BLOCK: u32 = 0xAF;
pub(super) const BLOCK_GROUP: u32 = 0xA0;
pub(super) const BLOCK: u32 = 0xA1;
pub(super) const BLOCK_DURATION: u32 = 0x9B;
pub(super) const REFERENCE_PRIORITY: u32 = 0xFA;
pub(super) const REFERENCE_BLOCK: u32 = 0xFB;
pub(super) const REFERENCE_VIRTUAL: u32 = 0xFD;
pub(super) const DISCARD_PADDING: u32 = 0x75A2;
pub(super) const BLOCK_ADDITIONS: u32 = 0x75A1;
pub(super) const REFERENCE_FRAME: u32 = 0xC8;
pub(super) const SLICES: u32 = 0x8E;

pub(super) const TAG: u32 = 0x7373;
pub(super) const TARGETS: u32 = 0x63C0;
pub(super) const SIMPLE_TAG: u32 = 0x67C8;
pub(super) const TAG_NAME: u32 = 0x45A3;
pub(super) const TAG_STRING: u32 = 0x4487;

pub(super) const MAX_ID_LENGTH: u32 = 0x42F2;
pub(super) const MAX_SIZE_LENGTH: u32 = 0x42F3;

/// Children of the EBML header, one of which must follow it: tells a header from payload.
pub(super) const EBML_CHILDREN: [u32; 10] =
    [0x4286, 0x42F7, MAX_ID_LENGTH, MAX_SIZE_LENGTH, 0x4282, 0x4287, 0x4285, 0x4281, VOID, CRC32];
