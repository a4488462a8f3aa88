//! Deploys new values of template parameters to the running services, as
//! `sam deploy --parameter-overrides` does.
//!
//! The template is read again. Rules, queues, roles, dashboards, and the settings of functions,
//! tasks and alarms change as CloudFormation changes them; any other difference is refused before
//! anything changes. What is new is created first, and what is removed goes last, so that an event
//! always has a target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sam_template::{Alarm, Dashboard, Function, Queue, Role, Rule, Task, Template};

use crate::error::Error;
use crate::named_resources;
use crate::options::Options;
use crate::services::{Services, load_template};

/// What is deployed.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// The options of the start, with the parameters of the latest deployment.
    pub(crate) options: Options,
    /// The template with these parameters.
    pub(crate) template: Arc<Template>,
}

impl Services {
    /// Deploys the template with new values of parameters; those that are not named keep theirs.
    /// Returns the logical ids of what changed.
    ///
    /// # Errors
    /// The template cannot be read or rejects a value, or something differs that running services
    /// do not change. Nothing is changed then.
    pub fn deploy(&self, parameters: BTreeMap<String, String>) -> Result<Vec<String>, Error> {
        let mut deployed = self.deployed();
        let mut options = deployed.options.clone();
        // A parameter that is not named keeps its value, also one that the host has set.
        let mut kept = named_resources::hosts(&options.parameters);
        kept.retain(|name, _| deployed.template.parameters.contains_key(name));
        kept.append(&mut options.parameters);
        options.parameters = kept;
        options.parameters.extend(parameters);
        let template = load_template(&options, &self.base_url)?;
        named_resources::check(&options, &self.base_url, &template, &self.lambda)?;
        let changed = changes(&deployed.template, &template)?;

        let refused = |service| move |reason| Error::Service { service, reason };
        let rules = self.events.prepare(&template.rules).map_err(refused("events"))?;
        self.cloudwatch.deploy(&template).map_err(refused("cloudwatch"))?;
        self.sqs.create(&template.queues);
        self.iam.deploy(&template);
        self.lambda.deploy(&template.functions);
        self.tasks.create(&template.tasks);
        self.events.deploy(rules);
        self.tasks.remove_others(&template.tasks);
        self.deploy_logs(&template);
        self.sqs.remove_others(&template.queues);
        tracing::info!(changed = changed.join(", "), "deployed");
        *deployed = Deployed { options, template: Arc::new(template) };
        Ok(changed)
    }
}

/// Returns the logical ids of the resources that differ.
///
/// # Errors
/// One of them is not changed while the services run.
fn changes(old: &Template, new: &Template) -> Result<Vec<String>, Error> {
    refuse_fixed(old, new)?;
    let lists = [
        differing(&old.rules, &new.rules, |it: &Rule| &it.logical_id),
        differing(&old.queues, &new.queues, |it: &Queue| &it.logical_id),
        differing(&old.roles, &new.roles, |it: &Role| &it.logical_id),
        differing(&old.functions, &new.functions, |it: &Function| &it.logical_id),
        differing(&old.tasks, &new.tasks, |it: &Task| &it.logical_id),
        differing(&old.alarms, &new.alarms, |it: &Alarm| &it.logical_id),
        differing(&old.dashboards, &new.dashboards, |it: &Dashboard| &it.name),
    ];
    Ok(lists.concat().into_iter().map(str::to_owned).collect())
}

/// Refuses what differs in the part of the template that is fixed while the services run.
fn refuse_fixed(old: &Template, new: &Template) -> Result<(), Error> {
    let fixed = |template: &Template| {
        let functions = template.functions.iter().map(|it| {
            let names = (it.logical_id.clone(), it.name.clone(), it.package.clone());
            (names, it.tracing_active)
        });
        let rules = template.rules.iter();
        let rules = rules.map(|it| (it.logical_id.clone(), it.name.clone(), it.schedule.clone()));
        (functions.collect::<Vec<_>>(), rules.collect::<Vec<_>>())
    };
    let ((functions, rules), (new_functions, new_rules)) = (fixed(old), fixed(new));
    let refused = [
        differing(&functions, &new_functions, |it| &it.0.0),
        differing(&rules, &new_rules, |it| &it.0),
        differing(&old.http_apis, &new.http_apis, |it| &it.logical_id),
        differing(&old.tables, &new.tables, |it| &it.logical_id),
        differing(&old.archives, &new.archives, |it| &it.logical_id),
        differing(&old.topics, &new.topics, |it| &it.logical_id),
    ];
    match refused.concat().first() {
        None => Ok(()),
        Some(resource) => Err(Error::Fixed { resource: (*resource).to_owned() }),
    }
}

/// Returns the ids of what is in one list only, or differs.
fn differing<'a, T: PartialEq>(
    old: &'a [T],
    new: &'a [T],
    id: impl Fn(&'a T) -> &'a String,
) -> Vec<&'a str> {
    let of = |all: &'a [T], wanted: &str| all.iter().find(|it| id(it) == wanted);
    let ids: BTreeSet<&str> = old.iter().chain(new).map(|it| id(it).as_str()).collect();
    ids.into_iter().filter(|wanted| of(old, wanted) != of(new, wanted)).collect()
}
