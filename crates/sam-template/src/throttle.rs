//! The request limits of an HTTP API's routes: `DefaultRouteSettings` and `RouteSettings`.

use std::collections::BTreeMap;

use super::reader::Properties;
use super::{TemplateError, Throttle};

/// An account's limits in a region, which apply if a template sets only one of the two (API Gateway
/// quotas).
const ACCOUNT: Throttle = Throttle { rate: 10_000, burst: 5_000 };
/// Settings without effect here.
const WITHOUT_EFFECT: [&str; 1] = ["DetailedMetricsEnabled"];

/// The limits that an API's stage sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RouteSettings {
    default: Option<Throttle>,
    by_route: BTreeMap<String, Throttle>,
}

impl RouteSettings {
    /// Reads both properties of an API.
    ///
    /// # Errors
    /// A limit is not a whole number, or a property is unknown.
    pub(super) fn read(api: &mut Properties) -> Result<Self, TemplateError> {
        let default = api.part("DefaultRouteSettings")?.map(read_one).transpose()?.flatten();
        let mut by_route = BTreeMap::new();
        for (route, settings) in api.named_parts("RouteSettings")? {
            if let Some(throttle) = read_one(settings)?.or(default) {
                by_route.insert(route, throttle);
            }
        }
        Ok(Self { default, by_route })
    }

    /// Returns the limits of a route, and removes them from [`Self::left`].
    pub(super) fn take(&mut self, route: &str) -> Option<Throttle> {
        self.by_route.remove(route).or(self.default)
    }

    /// Returns a route that has limits but does not exist in the API.
    pub(super) fn left(&self) -> Option<&str> {
        self.by_route.keys().next().map(String::as_str)
    }
}

fn read_one(mut settings: Properties) -> Result<Option<Throttle>, TemplateError> {
    let limits = 0..=u64::from(u32::MAX);
    let mut number = |name: &str| -> Result<Option<u32>, TemplateError> {
        let number = settings.number(name, limits.clone())?;
        Ok(number.and_then(|number| u32::try_from(number).ok()))
    };
    let (rate, burst) = (number("ThrottlingRateLimit")?, number("ThrottlingBurstLimit")?);
    settings.finish(&WITHOUT_EFFECT)?;
    Ok((rate.is_some() || burst.is_some()).then(|| Throttle {
        rate: rate.unwrap_or(ACCOUNT.rate),
        burst: burst.unwrap_or(ACCOUNT.burst),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(api: Value) -> Result<RouteSettings, TemplateError> {
        RouteSettings::read(&mut Properties::new("Api", api)?)
    }

    #[test]
    fn a_route_has_its_own_limits_or_the_default_ones() {
        let mut settings = read(json!({
            "DefaultRouteSettings": {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": "200"},
            "RouteSettings": {
                "GET /a": {"ThrottlingRateLimit": "20"}, "GET /b": {"DetailedMetricsEnabled": true},
            },
        }))
        .unwrap();
        let default = Throttle { rate: 100, burst: 200 };
        assert_eq!(settings.left(), Some("GET /a"));
        assert_eq!(settings.take("GET /a"), Some(Throttle { rate: 20, burst: 5_000 }));
        assert_eq!(settings.take("GET /b"), Some(default));
        assert_eq!(settings.take("GET /c"), Some(default));
        assert_eq!(settings.left(), None);
        assert_eq!(read(json!({})).unwrap().take("GET /a"), None);
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for settings in [
            json!({"ThrottlingRateLimit": -1}),
            json!({"ThrottlingRateLimit": "many"}),
            json!({"LoggingLevel": "INFO"}),
        ] {
            assert!(read(json!({"DefaultRouteSettings": settings})).is_err());
        }
    }
}
