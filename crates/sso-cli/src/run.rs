//! Listening on every address before anything starts, and ending cleanly.

use std::{
    future::ready,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    time::Duration,
};

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse},
};
use tokio::{
    net::TcpStream,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tracing_subscriber::EnvFilter;

use crate::{
    Failure,
    deadline::{DEADLINE, Timed},
    say,
};

/// Seconds that requests under way have when the program is told to end.
const SHUTDOWN_SECONDS: u64 = 10;

/// How long a client that is still sending may go on after its answer.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Logs to standard error; `RUST_LOG` chooses what, warnings by default. Those of sqlx, which show each statement that
/// took a second, are left out: what failed by that, the server says itself.
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,sqlx=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// Listens at one address; for `127.0.0.1`, see [`listen_on_loopback`].
pub(crate) fn listen(address: SocketAddr) -> Result<Vec<TcpListener>, Failure> {
    if address.ip() == Ipv4Addr::LOCALHOST && address.port() != 0 {
        return listen_on_loopback(address.port());
    }
    bind(address).map(|listener| vec![listener])
}

/// Listens at a port of both loopback addresses: browsers may choose either for a name under `localhost`, and a
/// stranger's program on the other one would get half of the visitors.
pub(crate) fn listen_on_loopback(port: u16) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = vec![bind((Ipv4Addr::LOCALHOST, port).into())?];
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(listener) => listeners.push(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(cannot_listen((Ipv6Addr::LOCALHOST, port).into(), &error));
        }
        // A machine without IPv6.
        Err(_) => {}
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure::other(format!("{address} is in use by another program")),
        _ => Failure::other(format!("cannot listen at {address}: {error}")),
    }
}

/// As many workers as a site that has the machine to itself uses.
pub(crate) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a site on listeners that are bound already.
pub(crate) fn serve<T, B>(
    listeners: Vec<TcpListener>,
    workers: usize,
    app: impl Fn() -> App<T> + Send + Clone + 'static,
) -> Result<Server, Failure>
where
    T: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()>
        + 'static,
    B: MessageBody + 'static,
{
    let mut server = Server::build().workers(workers).shutdown_timeout(SHUTDOWN_SECONDS).disable_signals();
    let ending = server.graceful_shutdown_signal();
    for listener in listeners {
        let address = listener.local_addr().map_err(Failure::other)?;
        let (app, ending) = (app.clone(), ending.clone());
        // What `HttpServer` does, but that its connections have no deadlines.
        let connections = move || {
            let (app, ending) = (app(), ending.clone());
            let app = app.into_factory().map_err(|error| Error::error_response(&error));
            let http = HttpService::build()
                .client_disconnect_timeout(DISCONNECT)
                .local_addr(address)
                .graceful_shutdown_signal(move || {
                    let ending = ending.clone();
                    async move { ending.notified().await }
                })
                .h1(map_config(app, |()| AppConfig::default()));
            let timed = |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                ready(Ok((Timed::new(stream, DEADLINE), peer)))
            };
            fn_service(timed).and_then(http)
        };
        server = server.listen(address.to_string(), listener, connections).map_err(Failure::other)?;
    }
    Ok(server.run())
}

/// Ctrl-C and SIGTERM. Once they are caught they end nothing by themselves.
pub(crate) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    pub(crate) fn catch() -> Result<Self, Failure> {
        let interrupt = signal(SignalKind::interrupt()).map_err(Failure::other)?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate()).map_err(Failure::other)? })
    }

    /// Waits for one of them.
    pub(crate) async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Announces the sites and runs them until Ctrl-C or SIGTERM, or until one of them ends by itself, which is a failure;
/// then finishes what is under way.
pub(crate) async fn until_stopped(servers: Vec<Server>, announcement: &str) -> Result<(), Failure> {
    // First of all: whoever has read the announcement may already send one.
    let mut end = EndSignals::catch()?;
    let handles: Vec<_> = servers.iter().map(Server::handle).collect();
    let mut tasks = JoinSet::new();
    for server in servers {
        tasks.spawn_local(server);
    }

    say(announcement);
    let gone = tokio::select! {
        () = end.come() => None,
        gone = tasks.join_next() => gone,
    };
    tracing::info!("ending");
    let stops: Vec<_> = handles.iter().map(|handle| handle.stop(true)).collect();
    for stop in stops {
        stop.await;
    }
    if let Some(gone) = gone {
        let reason = match gone {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => format!(": {error}"),
            Err(error) => format!(": {error}"),
        };
        return Err(Failure::other(format!("a site ended by itself{reason}")));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(Failure::other)?.map_err(Failure::other)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use actix_web::HttpResponse;
    use tokio::time::timeout;

    use super::*;

    /// A server that listens, and where.
    fn site() -> (Server, SocketAddr) {
        let listeners = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let app = || App::new().default_service(actix_web::web::to(HttpResponse::Ok));
        (serve(listeners, 1, app).unwrap(), address)
    }

    #[actix_web::test]
    async fn a_site_that_ends_by_itself_ends_the_others_and_is_reported() {
        let ((ends, _), (stays, address)) = (site(), site());
        let handle = ends.handle();
        let running = actix_web::rt::spawn(until_stopped(vec![stays, ends], "two sites"));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!running.is_finished() && TcpStream::connect(address).is_ok(), "both are up");
        handle.stop(false).await;
        let ended = timeout(Duration::from_secs(30), running).await.unwrap().unwrap();
        assert_eq!(ended.unwrap_err().to_string(), "a site ended by itself");
        assert!(TcpStream::connect(address).is_err(), "the other one is down");
    }
}
