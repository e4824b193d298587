//! What a store's URL says beyond where Redis is: what its keys begin with.

use url::Url;

use super::InvalidRedisUrl;

/// What keys begin with unless something else is said.
pub(super) const DEFAULT: &str = "sso";
const MAX_LEN: usize = 32;

/// The namespace in a URL such as `redis://host/0?namespace=shop`. A parameter that nobody reads is a mistake.
pub(super) fn of(url: &str) -> Result<String, InvalidRedisUrl> {
    // What is no URL at all, the client tells better.
    let Ok(url) = Url::parse(url) else { return Ok(DEFAULT.into()) };
    let mut namespace = DEFAULT.to_owned();
    for (name, value) in url.query_pairs() {
        match &*name {
            "namespace" if is_fit(&value) => namespace = value.into_owned(),
            "namespace" => {
                return Err(InvalidRedisUrl(format!("expected 1 to {MAX_LEN} letters and digits as its namespace")));
            }
            // The client's own.
            "protocol" => {}
            _ => return Err(InvalidRedisUrl(format!("unknown parameter `{name}`; expected `namespace`"))),
        }
    }
    Ok(namespace)
}

fn is_fit(namespace: &str) -> bool {
    (1..=MAX_LEN).contains(&namespace.len()) && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_a_namespace() {
        assert_eq!(of("redis://host").unwrap(), "sso");
        assert_eq!(of("rediss://user:secret@host:1/3?protocol=resp3").unwrap(), "sso");
        assert_eq!(of("redis://host/0?namespace=shop2").unwrap(), "shop2");
    }

    #[test]
    fn what_would_not_work_as_written_is_refused() {
        let long = "a".repeat(33);
        for namespace in ["", "a:b", "a*", "ä", "a b", &long] {
            let error = of(&format!("redis://user:secret@host/?namespace={namespace}")).unwrap_err().to_string();
            assert!(error.contains("expected 1 to 32 letters and digits") && !error.contains("secret"), "{error}");
        }
        let error = of("redis://host/?namspace=shop").unwrap_err().to_string();
        assert!(error.contains("unknown parameter `namspace`"), "{error}");
    }
}
