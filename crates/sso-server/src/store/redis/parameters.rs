//! What a store's URL says beyond where Redis is: what its keys begin with, and who vouches for its certificate.

use std::{fs, path::PathBuf};

use url::Url;

use super::InvalidRedisUrl;

const MAX_LEN: usize = 32;

/// The parameters of a URL such as `rediss://host/0?namespace=shop&sslrootcert=/etc/ssl/redis-ca.pem`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    /// What keys begin with.
    pub(super) namespace: String,
    /// A file of certificates in PEM: the authorities that alone may vouch for Redis. `None`: those that this machine
    /// trusts.
    pub(super) sslrootcert: Option<PathBuf>,
}

impl Parameters {
    /// A parameter that nobody reads is a mistake.
    pub(super) fn of(url: &str) -> Result<Self, InvalidRedisUrl> {
        let mut parameters = Self { namespace: "sso".into(), sslrootcert: None };
        // What is no URL at all, the client tells better.
        let Ok(url) = Url::parse(url) else { return Ok(parameters) };
        for (name, value) in url.query_pairs() {
            match &*name {
                "namespace" if is_fit(&value) => parameters.namespace = value.into_owned(),
                "namespace" => {
                    return Err(InvalidRedisUrl(format!(
                        "expected 1 to {MAX_LEN} letters and digits as its namespace"
                    )));
                }
                "sslrootcert" if url.scheme() == "rediss" => {
                    parameters.sslrootcert = Some(PathBuf::from(value.into_owned()));
                }
                "sslrootcert" => return Err(InvalidRedisUrl("sslrootcert is for rediss://, which uses TLS".into())),
                // The client's own.
                "protocol" => {}
                _ => {
                    let expected = "expected `namespace` or `sslrootcert`";
                    return Err(InvalidRedisUrl(format!("unknown parameter `{name}`; {expected}")));
                }
            }
        }
        Ok(parameters)
    }

    /// The certificates of those authorities.
    pub(super) fn root_certificates(&self) -> Result<Option<Vec<u8>>, InvalidRedisUrl> {
        let Some(file) = &self.sslrootcert else { return Ok(None) };
        let pem = fs::read(file)
            .map_err(|error| InvalidRedisUrl(format!("cannot read sslrootcert {}: {error}", file.display())))?;
        // An empty list would vouch for nobody, and each call would say so of Redis.
        if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            Ok(Some(pem))
        } else {
            Err(InvalidRedisUrl(format!("sslrootcert {}: there is no certificate in it", file.display())))
        }
    }
}

fn is_fit(namespace: &str) -> bool {
    (1..=MAX_LEN).contains(&namespace.len()) && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(url: &str) -> String {
        Parameters::of(url).unwrap().namespace
    }

    fn refused(url: &str) -> String {
        Parameters::of(url).unwrap_err().to_string()
    }

    #[test]
    fn a_url_may_name_a_namespace() {
        assert_eq!(namespace("redis://host"), "sso");
        assert_eq!(namespace("rediss://user:secret@host:1/3?protocol=resp3"), "sso");
        assert_eq!(namespace("redis://host/0?namespace=shop2"), "shop2");
    }

    #[test]
    fn a_url_may_name_who_vouches_for_its_certificate() {
        let parameters = Parameters::of("rediss://host/?sslrootcert=/a%20b.pem&namespace=x").unwrap();
        assert_eq!(parameters.sslrootcert, Some("/a b.pem".into()));
        let error = parameters.root_certificates().unwrap_err().to_string();
        assert!(error.contains("cannot read sslrootcert /a b.pem"), "{error}");
        assert!(refused("redis://host/?sslrootcert=/ca.pem").contains("is for rediss://"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let parameters = Parameters { namespace: "sso".into(), sslrootcert: Some(file.path().into()) };
        let error = parameters.root_certificates().unwrap_err().to_string();
        assert!(error.contains("there is no certificate in it"), "{error}");
    }

    #[test]
    fn what_would_not_work_as_written_is_refused() {
        let long = "a".repeat(33);
        for namespace in ["", "a:b", "a*", "ä", "a b", &long] {
            let error = refused(&format!("redis://user:secret@host/?namespace={namespace}"));
            assert!(error.contains("expected 1 to 32 letters and digits") && !error.contains("secret"), "{error}");
        }
        let error = refused("redis://host/?namspace=shop");
        assert!(error.contains("unknown parameter `namspace`"), "{error}");
    }
}
