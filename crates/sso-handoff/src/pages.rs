//! What an application shows on the way: pages where a user goes away, and where one arrives.

/// The pages on the way out. No inline script or style: the CSP forbids it.
pub trait LeavingPages: Send + Sync + 'static {
    /// On the way out: a form with `id="handoff"`, a POST of the hidden field `token` to `action`, and the script
    /// `script`, which sends it.
    fn leaving(&self, page: &LeavingPage<'_>) -> String;
    /// Before going out, where no page of this site proves that the visitor chose it: a GET form to `action` with the
    /// hidden fields `url` and `proof`, and where it leads.
    fn may_leave(&self, page: &MayLeavePage<'_>) -> String;
    /// The address is not on the list, or the way is closed.
    fn cannot_leave(&self, problem: &str) -> String;
}

/// See [`LeavingPages::leaving`].
#[derive(Clone, Copy, Debug)]
pub struct LeavingPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `token`.
    pub token: &'a str,
    /// The origin that it leads to.
    pub target: &'a str,
    /// Who is logged in here, and will be there.
    pub user: &'a str,
    /// The script that sends the form.
    pub script: &'a str,
}

/// See [`LeavingPages::may_leave`].
#[derive(Clone, Copy, Debug)]
pub struct MayLeavePage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `url`: the page that it leads to.
    pub url: &'a str,
    /// The hidden field `proof`.
    pub proof: &'a str,
    /// Who is logged in here, and will be there.
    pub user: &'a str,
}

/// The pages where users arrive. No inline script or style: the CSP forbids it.
pub trait LandingPages: Send + Sync + 'static {
    /// Where `current` is logged in: a POST of the hidden fields `form_token` and `choice` (`switch` or `stay`) to
    /// `action`.
    fn switch_user(&self, page: &SwitchPage<'_>) -> String;
    /// The token was no good: the login page, with a plain message. Its status becomes 401.
    fn refused(&self) -> String;
}

/// See [`LandingPages::switch_user`].
#[derive(Clone, Copy, Debug)]
pub struct SwitchPage<'a> {
    /// Where the form goes.
    pub action: &'a str,
    /// The hidden field `form_token`.
    pub form_token: &'a str,
    /// Who is logged in.
    pub current: &'a str,
    /// Who arrives.
    pub arriving: &'a str,
    /// From where.
    pub issuer: &'a str,
}
