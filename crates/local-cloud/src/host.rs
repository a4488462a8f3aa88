//! `--consumer-host` and `--workers`.

use local_aws::Options;

/// What runs the sessions, in `up` and `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct HostArgs {
    /// What runs the sessions, as the template's parameter ConsumerHost: `container` for workers,
    /// `managed-instances` for a function with many sessions in each process.
    #[arg(long, value_name = "HOST", value_parser = ["lambda", "managed-instances", "container"])]
    consumer_host: Option<String>,
    /// How many workers or managed instances run the sessions (with `--consumer-host`).
    #[arg(
        long, value_name = "N", default_value_t = 2, requires = "consumer_host",
        value_parser = clap::value_parser!(u32).range(0..=100)
    )]
    workers: u32,
}

impl HostArgs {
    /// Sets the options of a cloud.
    pub(crate) fn apply(&self, options: &mut Options) {
        options.workers = self.workers;
        let host = self.consumer_host.iter();
        options.parameters.extend(host.map(|host| ("ConsumerHost".to_owned(), host.clone())));
    }

    /// Whether no process would run a session.
    pub(crate) const fn has_no_process(&self) -> bool {
        self.workers == 0
    }

    /// Returns whether the command line chooses a host.
    pub(crate) const fn is_chosen(&self) -> bool {
        self.consumer_host.is_some()
    }
}
