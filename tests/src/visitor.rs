//! A browser without a screen: HTTP with a cookie jar, where each redirect can be looked at.

use std::{collections::HashMap, sync::Arc};

use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, StatusCode,
    cookie::{CookieStore, Jar},
    header::{HeaderMap, LOCATION},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;

use crate::family::Family;

/// Somebody with cookies.
#[derive(Clone)]
pub struct Visitor {
    client: Client,
    jar: Arc<Jar>,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// Where it came from.
    pub url: Url,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Visitor {
    /// A new one, without cookies.
    pub fn new() -> Self {
        Self::with(Client::builder())
    }

    /// One who also believes a server whose certificate nobody signed.
    pub fn who_trusts_any_certificate() -> Self {
        Self::with(Client::builder().tls_danger_accept_invalid_certs(true))
    }

    fn with(builder: ClientBuilder) -> Self {
        let jar = Arc::new(Jar::default());
        let here = "127.0.0.1:0".parse().unwrap();
        let builder = builder
            .user_agent("Mozilla/5.0 (tests)")
            .redirect(Policy::none())
            .no_proxy()
            // The server closes idle connections after 5 s, or is killed, and a form that meets that on its way is lost.
            .pool_max_idle_per_host(0)
            .cookie_provider(jar.clone());
        // Names under localhost are the loopback for browsers, though not for the system's resolver.
        let names = ["sso", "alice", "greg", "julius", "nora", "otto", "api", "evil"];
        let builder = names.iter().fold(builder, |builder, name| {
            let in_family = format!("{name}.{}", Family::DOMAIN);
            builder.resolve(&format!("{name}.localhost"), here).resolve(&in_family, here)
        });
        Self { client: builder.build().unwrap(), jar }
    }

    /// A request, to be sent with [`send`].
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// One GET as a browser that visits a page; no redirect is followed.
    pub async fn get(&self, url: &str) -> Answer {
        send(self.request(Method::GET, url).header("Accept", "text/html")).await
    }

    /// A page, after all redirects. The last answer is no redirect.
    pub async fn visit(&self, url: &str) -> Answer {
        self.follow(self.get(url).await).await
    }

    /// Goes on where an answer leads, as often as browsers do.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..20 {
            let Some(next) = answer.location() else { return answer };
            answer = self.get(&next).await;
        }
        panic!("redirected without end, last to {}", answer.url);
    }

    /// Sends the form on this page whose action starts with `action`, with its hidden fields and these; not followed.
    pub async fn submit(&self, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Answer {
        let (target, mut form) = page.form(action);
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        send(self.request(Method::POST, &target).header("Accept", "text/html").form(&form)).await
    }

    /// From a broker's page with a login link to its page as that user.
    pub async fn log_in(&self, broker: &str, username: &str, password: &str) -> Answer {
        let form = self.visit(&format!("{broker}/sso/login?to=/")).await;
        let sent = self.submit(&form, "/attach", &[("username", username), ("password", password)]).await;
        self.follow(sent).await
    }

    /// The cookies for this URL, as the header would have them.
    pub fn cookies(&self, url: &str) -> String {
        let header = self.jar.cookies(&url.parse().unwrap());
        header.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, url: &str, cookie: &str) {
        self.jar.add_cookie_str(cookie, &url.parse().unwrap());
    }
}

impl Default for Visitor {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends a request and reads the answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
    Answer { url, status: status.as_u16(), headers, body: response.text().await.unwrap() }
}

impl Answer {
    /// Where it redirects to, as a whole URL.
    pub fn location(&self) -> Option<String> {
        let is_redirect = StatusCode::from_u16(self.status).unwrap().is_redirection();
        let location = self.headers.get(LOCATION).filter(|_| is_redirect)?;
        Some(self.url.join(location.to_str().unwrap()).unwrap().into())
    }

    /// The parameters of the URL that it redirects to.
    pub fn location_params(&self) -> HashMap<String, String> {
        let url: Url = self.location().expect("a redirect").parse().unwrap();
        url.query_pairs().into_owned().collect()
    }

    /// A header's text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The text of the first heading.
    pub fn heading(&self) -> &str {
        let after = self.body.split_once("<h1").expect("a heading").1.split_once('>').unwrap().1;
        after.split_once("</h1>").unwrap().0
    }

    /// The target and the hidden fields of the form whose action starts with this.
    pub fn form(&self, action: &str) -> (String, Vec<(String, String)>) {
        let forms = self.body.split("<form ").skip(1).map(|form| form.split_once("</form>").unwrap().0);
        let mut fitting = forms.filter_map(|form| Some((attribute(form, "action")?, form)));
        let (target, form) = fitting
            .find(|(target, _)| target.starts_with(action))
            .unwrap_or_else(|| panic!("no form for {action} in {}", self.body));
        let hidden = form.split("<input ").skip(1).filter(|input| input.contains("type=\"hidden\""));
        let fields = hidden.map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap()));
        (self.url.join(&target).unwrap().into(), fields.collect())
    }
}

/// The value of an attribute in the rest of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split_once('>').map_or(tag, |(tag, _)| tag);
    let value = tag.split_once(&format!("{name}=\""))?.1.split_once('"')?.0;
    Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&quot;", "\"").replace("&#34;", "\""))
}
