//! A browser's cookie jar, after RFC 6265bis sections 5.6 to 5.8: what it accepts in `Set-Cookie`, and what it sends.
//!
//! Independent of the reader. Left out is what no test here needs: ages, `SameSite`, and the list of public suffixes,
//! which is any name of one label.

/// Who sets a cookie, or is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) is_https: bool,
}

#[derive(Debug)]
struct Stored {
    name: Vec<u8>,
    value: Vec<u8>,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
}

/// The jar, the oldest cookie first.
#[derive(Debug, Default)]
pub(super) struct Browser(Vec<Stored>);

impl Browser {
    /// Whether the browser stores it.
    pub(super) fn set_cookie(&mut self, host: Host, line: &[u8]) -> bool {
        // 5.6 step 1: control characters but the tab.
        if line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
            return false;
        }
        let mut parts = line.split(|byte| *byte == b';');
        let (name, value) = pair(parts.next().unwrap(), true);
        if (name.is_empty() && value.is_empty()) || name.len() + value.len() > 4096 {
            return false;
        }
        let (mut domain, mut path, mut secure) = (String::new(), None, false);
        for part in parts {
            let (attribute, value) = pair(part, false);
            let value = String::from_utf8_lossy(&value).into_owned();
            match attribute.to_ascii_lowercase().as_slice() {
                b"domain" => domain = value.strip_prefix('.').unwrap_or(&value).to_ascii_lowercase(),
                b"path" => path = value.starts_with('/').then_some(value),
                b"secure" => secure = true,
                _ => {}
            }
        }
        // 5.7: public suffixes, and domains that the host is not in.
        if !domain.is_empty() && (!domain.contains('.') || !domain_matches(host.name, &domain)) {
            return false;
        }
        if secure && !host.is_https {
            return false;
        }
        let has_prefix = |text: &[u8], prefix: &[u8]| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if has_prefix(&name, b"__Secure-") && !secure {
            return false;
        }
        let is_root = path.as_deref() == Some("/");
        if has_prefix(&name, b"__Host-") && !(secure && domain.is_empty() && is_root) {
            return false;
        }
        if name.is_empty() && (has_prefix(&value, b"__Secure-") || has_prefix(&value, b"__Host-")) {
            return false;
        }
        let host_only = domain.is_empty();
        let new = Stored {
            name,
            value,
            domain: if host_only { host.name.to_owned() } else { domain },
            host_only,
            path: path.unwrap_or_else(|| "/".to_owned()),
            secure,
        };
        // "Leave Secure Cookies Alone".
        let overlays = |old: &Stored| {
            old.name == new.name
                && old.secure
                && (domain_matches(&old.domain, &new.domain) || domain_matches(&new.domain, &old.domain))
                && path_matches(&new.path, &old.path)
        };
        if !new.secure && !host.is_https && self.0.iter().any(overlays) {
            return false;
        }
        let is_same = |old: &&mut Stored| {
            (&old.name, &old.domain, old.host_only, &old.path) == (&new.name, &new.domain, new.host_only, &new.path)
        };
        match self.0.iter_mut().find(is_same) {
            Some(old) => *old = new,
            None => self.0.push(new),
        }
        true
    }

    /// The value of the `Cookie` field of a request.
    pub(super) fn cookie_header(&self, host: Host, path: &str) -> Vec<u8> {
        let pieces: Vec<Vec<u8>> = self
            .sent_to(host, path)
            .iter()
            .map(|cookie| {
                let equals: &[u8] = if cookie.name.is_empty() { b"" } else { b"=" };
                [&cookie.name, equals, &cookie.value].concat()
            })
            .collect();
        pieces.join(b"; ".as_slice())
    }

    /// The values that it holds under a name for such a request.
    pub(super) fn values_of(&self, host: Host, path: &str, name: &[u8]) -> Vec<Vec<u8>> {
        let all = self.sent_to(host, path).into_iter();
        all.filter(|cookie| cookie.name == name).map(|cookie| cookie.value.clone()).collect()
    }

    fn sent_to(&self, host: Host, path: &str) -> Vec<&Stored> {
        let mut sent: Vec<_> = self
            .0
            .iter()
            .filter(|cookie| {
                let is_for_host = if cookie.host_only {
                    cookie.domain == host.name
                } else {
                    domain_matches(host.name, &cookie.domain)
                };
                is_for_host && path_matches(path, &cookie.path) && (host.is_https || !cookie.secure)
            })
            .collect();
        // Longer paths first, and else the older ones.
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        sent
    }
}

/// At the first `=`. Without one all is the value of a cookie, or the name of an attribute.
fn pair(text: &[u8], is_cookie: bool) -> (Vec<u8>, Vec<u8>) {
    let trim = |text: &[u8]| {
        let start = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let end = text.iter().skip(start).rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        text[start..text.len() - end].to_vec()
    };
    match text.iter().position(|byte| *byte == b'=') {
        Some(equals) => (trim(&text[..equals]), trim(&text[equals + 1..])),
        None if is_cookie => (Vec::new(), trim(text)),
        None => (trim(text), Vec::new()),
    }
}

fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn path_matches(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}
