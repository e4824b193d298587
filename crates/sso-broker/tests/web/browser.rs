//! A visitor's browser: keeps cookies, follows nothing by itself.

use std::collections::BTreeMap;

use reqwest::{
    RequestBuilder,
    header::{HeaderMap, HeaderValue},
};
use serde_json::Value;
use url::Position;

use crate::{server::Server, site::Site};

pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) cookies: BTreeMap<String, String>,
    /// `false`: forgets every cookie it is given.
    pub(crate) keeps_cookies: bool,
    /// The name by which it calls the site.
    pub(crate) host: String,
    site: String,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(site: &Site) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let host = site.broker.public_url()[Position::BeforeHost..Position::AfterPort].to_owned();
        Self { http, cookies: BTreeMap::new(), keeps_cookies: true, host, site: site.address.clone() }
    }

    /// The cookies, without the one that form tokens are bound to: that stays.
    pub(crate) fn kept(&self) -> BTreeMap<String, String> {
        self.cookies.clone().into_iter().filter(|(name, _)| name != "sso-Alice-form").collect()
    }

    /// As if the token had been made so many seconds earlier.
    pub(crate) fn age_token(&mut self, seconds: u64) {
        for (_, text) in
            self.cookies.iter_mut().filter(|(name, _)| ["sso-Alice-token", "sso-Alice-notes"].contains(&&***name))
        {
            let mut parts: Vec<_> = text.split('.').map(str::to_owned).collect();
            let made = parts.len() - 2;
            parts[made] = (parts[made].parse::<u64>().unwrap() - seconds).to_string();
            *text = parts.join(".");
        }
    }

    /// From now on at another node of the site.
    pub(crate) fn go_to(&mut self, site: &Site) {
        self.site = site.address.clone();
    }

    /// A page visit.
    pub(crate) async fn visit(&mut self, path: &str) -> Page {
        self.get(path, &[("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")]).await
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Page {
        let request = self.http.get(self.url(path));
        self.send(request, headers).await
    }

    /// The same with HEAD.
    pub(crate) async fn head(&mut self, path: &str) -> Page {
        let request = self.http.head(self.url(path));
        self.send(request, &[("Accept", "text/html,*/*;q=0.8")]).await
    }

    /// A form that a page of another site sends: it comes without `SameSite=Lax` cookies.
    pub(crate) async fn post_from_afar(&mut self, path: &str, body: &str) -> Page {
        let kept = std::mem::take(&mut self.cookies);
        let headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Origin", "null")];
        let page = self.post_form(path, body, &headers).await;
        let planted = std::mem::replace(&mut self.cookies, kept);
        self.cookies.extend(planted);
        page
    }

    /// A form that a page of the site sends.
    pub(crate) async fn post_form(&mut self, path: &str, body: &str, headers: &[(&str, &str)]) -> Page {
        let request = self.http.post(self.url(path)).body(body.to_owned());
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.send(request, &[&[form, ("Accept", "text/html")], headers].concat()).await
    }

    /// What a script of the site's own page sends.
    pub(crate) async fn post_json(&mut self, path: &str, body: &Value) -> Page {
        let headers = [("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin")];
        self.post(path, &body.to_string(), &headers).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str, headers: &[(&str, &str)]) -> Page {
        let request = self.http.post(self.url(path)).body(body.to_owned());
        self.send(request, headers).await
    }

    /// Visits a page as a new visitor does, with the whole attach.
    pub(crate) async fn arrive(&mut self, server: &Server, path: &str) -> Page {
        let page = self.visit(path).await;
        let back = server.attach(page.location());
        let page = self.visit(&back).await;
        assert_eq!(page.status, 303, "{page:?}");
        let clean = page.location().to_owned();
        self.visit(&clean).await
    }

    /// Where an answer leads to the page that asks if a logout is wanted, with a form that can say where it comes from:
    /// that page.
    pub(crate) async fn asked_for_logout(&mut self, answer: Page) -> Page {
        assert!(answer.location().starts_with("/sso/logout?to=/"), "{answer:?}");
        assert!(!answer.headers.contains_key("Set-Cookie"), "{answer:?}");
        let page = self.visit(answer.location()).await;
        assert!(page.status == 200 && page.body.contains("<h1>Log out?</h1>"), "{page:?}");
        assert!(page.header("Referrer-Policy") == "same-origin" && !page.form_token().is_empty(), "{page:?}");
        page
    }

    fn url(&self, path: &str) -> String {
        // The server sends browsers back to the public URL, which is this same site.
        let path = path.strip_prefix("http://alice.localhost").map_or(path, |rest| &rest[rest.find('/').unwrap()..]);
        format!("{}{path}", self.site)
    }

    async fn send(&mut self, request: RequestBuilder, headers: &[(&str, &str)]) -> Page {
        let has_host = headers.iter().any(|(name, _)| *name == "Host");
        let request = if has_host { request } else { request.header("Host", &self.host) };
        let mut request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        if !self.cookies.is_empty() {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", cookies.join("; "));
        }
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all("Set-Cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else if self.keeps_cookies {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Page { status, headers, body: response.text().await.unwrap() }
    }
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{self:?}");
        assert_eq!((self.header("Cache-Control"), self.header("Referrer-Policy")), ("no-store", "no-referrer"));
        self.header("Location")
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The token of the logout form that the broker itself shows.
    pub(crate) fn form_token(&self) -> String {
        let (_, rest) = self.body.split_once("action=\"/sso/logout\"").unwrap();
        rest.split_once("name=\"form_token\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn is_problem(&self, status: u16, title: &str) -> bool {
        let is_superseded = title == "Someone has logged in meanwhile";
        let way = if is_superseded { "Go back to the page</a>" } else { "Try again</a>" };
        self.status == status && self.body.contains(&format!("<h1>{title}</h1>")) && self.body.contains(way)
    }
}
