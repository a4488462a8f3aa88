//! The options of [`start`](crate::start()).

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What [`start`](crate::start()) runs, and where. `Options::default()` runs every service without
/// a template, in memory, on a free port.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1. 0 (the default): a free port, which [`LocalAws::url`] returns.
    ///
    /// [`LocalAws::url`]: crate::LocalAws::url
    pub port: u16,
    /// A second port on 127.0.0.1 that serves the same over TLS, with a certificate that is made at
    /// the start; 0: a free port. Signaling endpoints are then `wss://`. `None` (the default): no
    /// TLS.
    pub tls_port: Option<u16>,
    /// The SAM template with the functions, routes, tables, rules, queues and roles to run. `None`
    /// (the default): none of them; streams and channels, connections and tables can still be
    /// created through the API.
    pub template: Option<PathBuf>,
    /// Values of the template's parameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// The folder for tables, audio and function logs. `None` (the default): tables in memory, and
    /// a temporary folder that the shutdown removes.
    pub data: Option<PathBuf>,
    /// How many times as fast as the real clock the services run: 1 (the default) to 1000.
    pub time_scale: u32,
    /// The folder with the function binaries, each named after its package. `None` (the default):
    /// the folder of the current executable.
    pub binaries: Option<PathBuf>,
    /// Programs to run in place of the binaries of functions, by package. Each speaks the Lambda
    /// Runtime API, gets the environment of the function that it replaces, and starts in its own
    /// folder.
    pub programs: BTreeMap<String, PathBuf>,
    /// How many workers run for each task definition of the template, and environments for each
    /// function on managed instances. Default: 2.
    pub workers: u32,
    /// Whether function logs are also written to stderr. Default: false.
    pub verbose: bool,
    /// The folder for a record of the calls that functions make, with the permission that allows
    /// each of them. `None` (the default): no record.
    pub calls: Option<PathBuf>,
    /// How long a stream or signaling channel stays CREATING or DELETING, in milliseconds of the
    /// scaled clock. Default: [`CHANGE_MS`](crate::kvs::CHANGE_MS).
    pub kvs_change_ms: u32,
    /// The account's quota of channels that store their media. Default:
    /// [`STORAGE_CHANNELS`](crate::kvs::STORAGE_CHANNELS), as AWS documents.
    pub storage_channels: usize,
    /// The length of the fragments that a storage session writes, in milliseconds of media. A value
    /// outside of [`INGESTION_FRAGMENT_RANGE_MS`](crate::INGESTION_FRAGMENT_RANGE_MS) is clamped. A
    /// fragment begins with a key frame, so it is up to 1.5 s shorter or longer. Default:
    /// [`INGESTION_FRAGMENT_MS`](crate::INGESTION_FRAGMENT_MS).
    pub ingestion_fragment_ms: u32,
    /// Whether a storage session writes each frame into the open fragment as it comes, so that
    /// GetMedia sends it at once. Default: false, a fragment is stored when it is complete. It is
    /// not known which of the two AWS does.
    pub progressive_ingestion: bool,
    /// A base path under which the HTTP API is also served, as a custom domain's API mapping does;
    /// without slashes around it. `None` (the default): no mapping.
    pub base_path: Option<String>,
    /// The folder of a page that is served at `/speaker/`: `index.html` and its scripts and styles.
    /// `None` (the default): there is no such page.
    pub speaker_page: Option<PathBuf>,
    /// A command line of the shell that recognises the speech which the processor accepts: PCM on
    /// its standard input, lines of JSON on its standard output. It runs once for each session.
    /// `None` (the default): no words.
    pub recogniser: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            tls_port: None,
            template: None,
            parameters: BTreeMap::new(),
            data: None,
            time_scale: 1,
            binaries: None,
            programs: BTreeMap::new(),
            workers: 2,
            verbose: false,
            calls: None,
            kvs_change_ms: crate::kvs::CHANGE_MS,
            storage_channels: crate::kvs::STORAGE_CHANNELS,
            ingestion_fragment_ms: crate::INGESTION_FRAGMENT_MS,
            progressive_ingestion: false,
            base_path: None,
            speaker_page: None,
            recogniser: None,
        }
    }
}
