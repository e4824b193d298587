//! `sso demo`: the server and its brokers, all in one process.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use sso_broker::{Broker, SilentMode};
use sso_core::{AllowedOrigins, Encoding, ReturnPages, Secret, Silent};
use sso_demo::{AjaxBroker, Api, LinkedApp, Peer, RedirectBroker, ServerHandoff, Sessions, Setup};
use sso_handoff::{Issuer, Target};
use sso_jwt::{Algorithm, KeySet, SharedKeys};
use sso_server::{
    Account, BrokerList, MemoryStore, PasswordHash, Policy, Server, UsersInMemory,
    clock::{Clock, SystemClock},
};
use sso_site::{SiteFrame, SiteInfo};

use crate::{
    Failure,
    config::{SessionName, StoreOption, store_key_of_environment},
    run,
    site::{ServerPages, ServerSite},
};

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// The server's port; the other sites have the following ones
    #[arg(long, default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..=65_529))]
    base_port: u16,
    /// All sites on plain `localhost`, for browsers that do not resolve names under it
    #[arg(long)]
    same_site: bool,
    /// Where sessions are kept: memory:, sqlite:FILE, postgres://… or redis://…
    #[arg(long, env = "SSO_STORE", hide_env_values = true, default_value = "memory:")]
    store: StoreOption,
    /// The file with the key of that store, which PostgreSQL and Redis need; or SSO_STORE_KEY, the key itself [default
    /// for sqlite:FILE: FILE.key, which is made]
    #[arg(long, env = "SSO_STORE_KEY_FILE")]
    store_key_file: Option<PathBuf>,
    /// End sessions that nobody used for so long, such as 90s
    #[arg(long, value_parser = humantime::parse_duration)]
    idle_timeout: Option<Duration>,
    /// Warn so long before the end of a session [default: 2min, or half of a short idle timeout]
    #[arg(long, value_parser = humantime::parse_duration)]
    warn_before: Option<Duration>,
    /// Accept forms for so long [default: 10min, or half of a short idle timeout]
    #[arg(long, value_parser = humantime::parse_duration)]
    form_timeout: Option<Duration>,
    /// The name of the session cookie [default: random]
    #[arg(long, env = "SSO_SESSION_NAME")]
    session_name: Option<SessionName>,
    /// End logins after so long, whatever the activity
    #[arg(long, value_parser = humantime::parse_duration)]
    absolute_lifetime: Option<Duration>,
    /// Secure cookies although the sites are plain http. Chromium and Firefox keep them; WebKit does not, and nobody
    /// can log in there. With them silent attach works in Chromium, if it allows third-party cookies
    #[arg(long)]
    secure_cookies: bool,
}

/// A broker of the demo. The secrets are those of jasny/sso's own demo: fit for a demo on the loopback and for nothing
/// else.
struct DemoBroker {
    name: &'static str,
    secret: &'static str,
    about: &'static str,
    silent: Option<SilentMode>,
    own_form: bool,
}

const BROKERS: [DemoBroker; 3] = [
    DemoBroker {
        name: "Alice",
        secret: "8iwzik1bwd",
        about: "A shop that attaches by redirect and logs in at the server.",
        silent: None,
        own_form: false,
    },
    DemoBroker {
        name: "Greg",
        secret: "7pypoox2pc",
        about: "Attaches by redirect, too, and also has a login form of its own.",
        silent: None,
        own_form: true,
    },
    DemoBroker {
        name: "Julius",
        secret: "ceda63kmhp",
        about: "Attaches by a script and logs in without leaving the page.",
        silent: Some(SilentMode::Json),
        own_form: true,
    },
];

/// (username, password, full name, e-mail address)
const USERS: [(&str, &str, &str, &str); 2] = [
    ("jackie", "jackie123", "Jackie Black", "jackie.black@example.com"),
    ("john", "john123", "John Doe", "john.doe@example.com"),
];

/// The linked applications, at the places after the brokers': name and what they show.
const LINKED: [(&str, &str); 2] = [
    ("Nora", "Keeps a session of her own, and hands her users over to Otto."),
    ("Otto", "The same, the other way round."),
];
const LINKED_PLACE: u16 = 4;

/// Where the service is, and the broker that calls it.
const API_PLACE: u16 = 6;
const API_CALLER: &str = "Alice";

/// Where the sites of the demo are.
struct DemoAddresses {
    base_port: u16,
    same_site: bool,
}

impl DemoAddresses {
    /// The origin of the site at this place: 0 is the server.
    fn origin(&self, place: u16, name: &str) -> String {
        let port = self.base_port + place;
        if self.same_site {
            format!("http://localhost:{port}")
        } else {
            format!("http://{}.localhost:{port}", name.to_ascii_lowercase())
        }
    }

    fn server(&self) -> SiteInfo {
        SiteInfo::server(&self.origin(0, "sso"))
    }

    fn api(&self) -> SiteInfo {
        let about = "A service that knows its users by access tokens: /me and /reports, in JSON.";
        SiteInfo::new("API", &self.origin(API_PLACE, "api"), about)
    }

    fn linked(&self) -> [SiteInfo; 2] {
        let places = [LINKED_PLACE, LINKED_PLACE + 1];
        let [nora, otto] = LINKED;
        [(nora, places[0]), (otto, places[1])]
            .map(|((name, about), place)| SiteInfo::linked(name, &self.origin(place, name), about))
    }

    fn brokers(&self) -> impl Iterator<Item = (SiteInfo, &'static DemoBroker)> {
        (1..)
            .zip(&BROKERS)
            .map(|(place, demo)| (SiteInfo::new(demo.name, &self.origin(place, demo.name), demo.about), demo))
    }
}

/// Runs all sites until told to end.
pub(crate) async fn run(options: &DemoOptions) -> Result<(), Failure> {
    let map = DemoAddresses { base_port: options.base_port, same_site: options.same_site };
    let sites = std::iter::once(map.server()).chain(map.brokers().map(|(site, _)| site)).chain(map.linked());
    let sites: Vec<_> = sites.collect();
    // All of them before anything starts, or is written to the store.
    let ports = (options.base_port..).take(sites.len());
    let mut listeners = ports.map(run::listen_on_loopback).collect::<Result<Vec<_>, _>>()?.into_iter();
    let mut listeners = || listeners.next().unwrap_or_default();
    let api_listeners = run::listen_on_loopback(options.base_port + API_PLACE)?;
    let core = server(options, &map).await?;
    let handoff = HandoffKeys::generate()?;

    let test_users = USERS.map(|(username, password, ..)| (username, password)).to_vec();
    let frame = SiteFrame::new(&map.server(), &sites);
    let to_linked = ServerHandoff::new(issuer(&map, &handoff)?, &frame);
    let links = to_linked.clone();
    let pages =
        ServerPages { frame, test_users, links: Some(Arc::new(move |site, session| links.links(site, session))) };
    let server = ServerSite::new(core, pages, true, options.secure_cookies, false);
    let mut servers = vec![server.serve(listeners(), WORKERS, move |app| to_linked.routes(app))?];
    for (site, demo) in map.brokers() {
        let broker = broker(&map, &site, demo, policy(options).form_timeout)?;
        let frame = SiteFrame::new(&site, &sites);
        servers.push(match demo.silent {
            None => {
                let site = RedirectBroker::new(broker, frame, demo.own_form);
                let site = if demo.name == API_CALLER { site.with_api(&map.api().url) } else { site };
                run::serve(listeners(), WORKERS, move || site.clone().app())?
            }
            Some(mode) => {
                let site = AjaxBroker::new(broker, frame, mode);
                run::serve(listeners(), WORKERS, move || site.clone().app())?
            }
        });
    }
    for this in map.linked() {
        let app = linked_app(&map, &this, &sites, &handoff)?;
        servers.push(run::serve(listeners(), WORKERS, move || app.clone().app())?);
    }
    let api = Api::new(&map.server().url, &map.api().url)?;
    servers.push(run::serve(api_listeners, WORKERS, move || api.clone().app())?);
    run::until_stopped(servers, &announcement(&sites, &map.api())).await
}

/// Threads of each site: the demo has one visitor.
const WORKERS: usize = 2;

async fn server(options: &DemoOptions, map: &DemoAddresses) -> Result<Server, Failure> {
    let brokers = map.brokers().map(|(site, demo)| {
        let returns = ReturnPages::Paths(vec!["/sso/return".into()]);
        let origins = AllowedOrigins::new(&[site.url], returns).map_err(Failure::other)?;
        let id = demo.name.parse().map_err(Failure::other)?;
        let mut broker = sso_server::Broker::new(id, &Secret::new(demo.secret), Encoding::Exact, origins);
        broker.silent = match demo.silent {
            None => Silent::Off,
            Some(SilentMode::Json) => Silent::Json,
            Some(SilentMode::Jsonp) => Silent::Jsonp,
        };
        broker.password_login = demo.own_form;
        if demo.name == API_CALLER {
            broker.audiences = vec![map.api().url];
        }
        Ok(broker)
    });
    let brokers = brokers.collect::<Result<BrokerList, Failure>>()?;
    // Their profiles are kept until the demo ends.
    let users = accounts()?.into_iter().collect::<UsersInMemory>();

    let policy = policy(options);
    let public_url = map.server().url.parse().map_err(Failure::other)?;
    let builder = Server::builder(public_url, brokers, users).policy(policy);
    let builder = match &options.session_name {
        Some(SessionName(name)) => builder.session_name(name),
        None => builder,
    };
    let key = store_key_of_environment(options.store_key_file.as_deref())?;
    let store = options.store.url()?.open(key.as_ref(), MemoryStore::MAX_ANONYMOUS).await?;
    store.give_to(builder).build().map_err(Failure::settings)
}

fn policy(options: &DemoOptions) -> Policy {
    let default = options.idle_timeout.map_or_else(Policy::default, Policy::with_idle_timeout);
    Policy {
        absolute_lifetime: options.absolute_lifetime.unwrap_or(default.absolute_lifetime),
        warn_before: options.warn_before.unwrap_or(default.warn_before),
        form_timeout: options.form_timeout.unwrap_or(default.form_timeout),
        ..default
    }
}

fn accounts() -> Result<Vec<Account>, Failure> {
    let accounts = USERS.iter().map(|(username, password, fullname, email)| {
        let hash = PasswordHash::new(password).map_err(Failure::other)?;
        Ok(Account::new(*username, hash).attribute("fullname", *fullname).attribute("email", *email))
    });
    accounts.collect()
}

/// Its visitors may take as long at the server as the login form there is accepted.
fn broker(map: &DemoAddresses, site: &SiteInfo, demo: &DemoBroker, attach_limit: Duration) -> Result<Broker, Failure> {
    let attach_url = format!("{}/attach", map.server().url);
    let id = demo.name.parse().map_err(Failure::other)?;
    let builder = Broker::builder(&attach_url, id, Secret::new(demo.secret));
    builder.public_url(&site.url).attach_limit(attach_limit).build().map_err(Failure::other)
}

/// The keys of the hand-off, made anew at each start.
struct HandoffKeys {
    /// Nora and Otto share it: either can make what the other accepts.
    pair: SharedKeys,
    /// The server signs with it; the applications have the public half.
    server: SharedKeys,
}

impl HandoffKeys {
    fn generate() -> Result<Self, Failure> {
        let now = SystemClock.now().as_secs();
        let keys = |algorithm| KeySet::generate(algorithm, now).map(SharedKeys::new).map_err(Failure::other);
        Ok(Self { pair: keys(Algorithm::Hs256)?, server: keys(Algorithm::EdDsa)? })
    }

    fn server_public(&self) -> Result<SharedKeys, Failure> {
        let jwks = self.server.current().jwks(SystemClock.now().as_secs());
        let json = serde_json::to_string(&jwks).map_err(Failure::other)?;
        KeySet::from_jwks(&json).map(SharedKeys::new).map_err(Failure::other)
    }
}

/// The server hands its users to both applications.
fn issuer(map: &DemoAddresses, keys: &HandoffKeys) -> Result<Issuer, Failure> {
    let issuer = Issuer::new(&map.server().url).map_err(Failure::other)?;
    map.linked().iter().try_fold(issuer, |issuer, site| {
        Ok(issuer.target(Target::new(&site.url, keys.server.clone()).map_err(Failure::other)?))
    })
}

fn linked_app(
    map: &DemoAddresses,
    this: &SiteInfo,
    all: &[SiteInfo],
    keys: &HandoffKeys,
) -> Result<LinkedApp, Failure> {
    let others = map.linked().into_iter().filter(|other| other.key != this.key);
    let mut peers: Vec<_> =
        others.map(|other| Peer { origin: other.url, keys: keys.pair.clone(), is_target: true }).collect();
    peers.push(Peer { origin: map.server().url, keys: keys.server_public()?, is_target: false });
    let app = LinkedApp::new(Setup {
        site: this.clone(),
        all: all.to_vec(),
        peers,
        users: accounts()?.into_iter().collect(),
        session_name: format!("sso_{}", this.key),
        session_key: Secret::generate().expose().to_vec(),
        sessions: Sessions::default(),
    })?;
    Ok(app)
}

fn announcement(sites: &[SiteInfo], api: &SiteInfo) -> String {
    let list = |sites: &[&SiteInfo]| {
        let line = |SiteInfo { name, url, about, .. }: &&SiteInfo| format!("  {name:<12} {url:<30} {about}\n");
        sites.iter().map(line).collect::<String>()
    };
    let (sharing, linked): (Vec<_>, Vec<_>) = sites.iter().partition(|site| site.shares_session);
    let users = USERS.map(|(username, password, ..)| format!("{username} / {password}"));
    format!(
        "The demo is running. Open a site that shares the session, log in, and then look at the others:\n\n{}\n\
         Linked applications, with sessions of their own:\n\n{}\n\
         A service for back ends, without pages:\n\n{}\n\
         Users: {}\n\
         Everything is plain http: for trying out on this machine only.\n\
         Ctrl-C ends it.",
        list(&sharing),
        list(&linked),
        list(&[api]),
        users.join(", ")
    )
}
