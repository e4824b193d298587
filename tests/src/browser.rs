//! Headless Chromium, with its own profile and its own driver.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    ChromeCapabilities, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement,
    prelude::{By, ElementQueryable, ElementWaitable},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::process::PATIENCE;

/// Whether the browser sends cookies to sites that are not the page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThirdPartyCookies {
    /// As Chromium did for long.
    Allowed,
    /// As Safari, Firefox and Debian's Chromium with a fresh profile.
    Blocked,
}

/// A browser.
pub struct Browser {
    /// The session with it, for what the methods here do not do.
    pub driver: WebDriver,
    // Before the profile, which the browser writes to.
    _process: DriverProcess,
    _profile: TempDir,
    _turn: SemaphorePermit<'static>,
}

/// So many at once, however many tests run: each takes a core while a page loads. One more than there are tests that have two, so that these do not wait for
/// each other.
static TURNS: Semaphore = Semaphore::const_new(4);

impl Browser {
    /// Starts one with an empty profile.
    pub async fn start(cookies: ThirdPartyCookies) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let profile = TempDir::new().unwrap();
        let default = profile.path().join("profile/Default");
        fs::create_dir_all(&default).unwrap();
        let mode = if cookies == ThirdPartyCookies::Allowed { 0 } else { 1 };
        let preferences =
            json!({ "profile": { "cookie_controls_mode": mode, "block_third_party_cookies": mode == 1 } });
        fs::write(default.join("Preferences"), preferences.to_string()).unwrap();

        let process = start_driver(profile.path());
        let mut capabilities = DesiredCapabilities::chrome();
        arguments(&mut capabilities, &profile.path().join("profile"));
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::new(&format!("http://127.0.0.1:{}", process.port), capabilities).await.unwrap();
        // Its own farewell, when dropped inside a runtime, takes two minutes; the driver's shutdown ends the session too.
        driver.clone().leak().unwrap();
        Self { driver, _process: process, _profile: profile, _turn: turn }
    }

    /// Opens a page and waits until it has loaded.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// The address bar.
    pub async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().into()
    }

    /// The first visible element for this CSS selector; waits for it.
    pub async fn find(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css)).wait(PATIENCE, Duration::from_millis(20)).and_displayed();
        query.first().await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Waits until the element for this selector has this text somewhere in it.
    pub async fn wait_for(&self, css: &str, text: &str) {
        let query = self.driver.query(By::Css(css)).wait(PATIENCE, Duration::from_millis(20));
        let wanted = text.to_owned();
        let query = query.with_filter(move |element: WebElement| {
            let wanted = wanted.clone();
            async move { Ok(element.text().await.is_ok_and(|text| text.contains(&wanted))) }
        });
        if query.first().await.is_err() {
            panic!("no {css} with {text:?} at {}; there is: {}", self.url().await, self.text().await);
        }
    }

    /// Clicks on it.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        element.wait_until().clickable().await.unwrap();
        element.click().await.unwrap();
    }

    /// Types into it, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// All that can be read on the page.
    pub async fn text(&self) -> String {
        self.driver.find(By::Tag("body")).await.unwrap().text().await.unwrap()
    }

    /// Runs a script's body and returns what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// What the console has shown since it was asked last, without mere information.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.unwrap();
        let told = entries.into_iter().filter(|entry| !matches!(entry.level.as_str(), "INFO" | "DEBUG"));
        told.map(|entry| format!("{} {}", entry.level, entry.message)).collect()
    }

    /// Dark or light, for this tab.
    pub async fn set_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        // Without movement: what is looked at must not be half-way from one scheme to the other.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }, still] }),
        )
        .await;
    }

    /// The size of the window's inside, in CSS pixels.
    pub async fn set_size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A command of the DevTools protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// The whole page as PNG, under `tests/screenshots`.
    pub async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// What axe-core has to say against the page.
    pub async fn axe(&self) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/axe-core/axe.min.js");
        let axe =
            fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is not there: run tests/run", path.display()));
        self.run(&axe).await;
        let script = "const done = arguments[arguments.length - 1]; \
                      axe.run().then(result => done(result.violations), error => done([{ id: String(error) }]))";
        let violations = self.driver.execute_async(script, Vec::new()).await.unwrap().json().clone();
        let tell = |v: &Value| format!("{}: {} {}", v["id"], v["help"], v["nodes"][0]["html"]);
        violations.as_array().expect("a list").iter().map(tell).collect()
    }
}

/// A chromedriver, and with it every browser that it started.
struct DriverProcess {
    child: Child,
    port: u16,
}

impl DriverProcess {
    /// Asks it to end: killed, it would leave its browsers running.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read(&mut [0; 64]).map(drop)
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn arguments(capabilities: &mut ChromeCapabilities, profile: &Path) {
    for argument in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        // Where tests speak https, nobody has signed the certificate.
        "--ignore-certificate-errors",
    ] {
        capabilities.add_arg(argument).unwrap();
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
}

/// Starts chromedriver on a port that it chooses.
fn start_driver(temporary: &Path) -> DriverProcess {
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .env("TMPDIR", temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is not there: run tests/run");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let port = loop {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "chromedriver ended");
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            break rest.trim().trim_end_matches('.').parse().unwrap();
        }
    };
    std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
    DriverProcess { child, port }
}
