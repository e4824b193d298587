//! `sso users add|list|show|set|disable|enable|set-password|remove`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use sso_server::{
    SqlDirectory,
    core::wire::User,
    directory::{DirectoryError, StoredUser, Unreadable},
    username::{canonical, check_username, visible},
};

use super::admin::{Admin, AdminOptions, MissingFile, failed, store_failed};
use crate::{
    Failure, input,
    output::{self, names, printable},
    say,
};

#[derive(Debug, Subcommand)]
pub(crate) enum UsersAction {
    /// Adds a user. The password, of 15 characters or more, comes from the terminal, or is the first line of standard
    /// input
    Add {
        /// The name, to the letter; white space at its ends does not count
        name: String,
        #[command(flatten)]
        about: About,
        /// The line has the password's hash, argon2 or bcrypt, and not the password
        #[arg(long)]
        hash: bool,
    },
    /// Shows all users
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a user, but for the password
    Show {
        /// The name
        name: String,
    },
    /// Changes what is known of a user
    Set {
        /// The name
        name: String,
        #[command(flatten)]
        about: About,
        /// Takes an attribute away
        #[arg(long, value_name = "NAME")]
        drop_attribute: Vec<String>,
        /// Takes the user out of a group
        #[arg(long, value_name = "GROUP")]
        drop_group: Vec<String>,
    },
    /// Keeps a user out, and ends all that is theirs: sessions, and browsers that are remembered
    Disable {
        /// The name
        name: String,
    },
    /// Lets a user in again
    Enable {
        /// The name
        name: String,
    },
    /// Gives a user another password, of 15 characters or more, and ends all that began with the old one
    SetPassword {
        /// The name
        name: String,
        /// The line has the password's hash, and not the password
        #[arg(long)]
        hash: bool,
    },
    /// Removes a user, and ends all that is theirs
    Remove {
        /// The name
        name: String,
    },
}

/// What is known of a user. Each option can be given several times.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// An attribute, such as `fullname=Jackie Black`
    #[arg(long, value_name = "NAME=TEXT", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// An attribute that is no text, such as `age=38`
    #[arg(long, value_name = "NAME=JSON", value_parser = json_attribute)]
    json_attribute: Vec<(String, Value)>,
    /// A group that the user is in
    #[arg(long)]
    group: Vec<String>,
}

impl About {
    fn put(&self, attributes: &mut Map<String, Value>) {
        for (name, text) in &self.attribute {
            attributes.insert(name.clone(), text.as_str().into());
        }
        for (name, value) in &self.json_attribute {
            attributes.insert(name.clone(), value.clone());
        }
    }

    fn put_groups(&self, groups: &mut Vec<String>) {
        for group in &self.group {
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
    }
}

/// Runs the command.
pub(crate) async fn run(options: &AdminOptions<UsersAction>) -> Result<(), Failure> {
    let missing =
        if matches!(options.action, UsersAction::Add { .. }) { MissingFile::Create } else { MissingFile::Fail };
    let admin = Admin::open(&options.config, missing).await?;
    match &options.action {
        UsersAction::Add { name, about, hash } => add(&admin, &canonical(name), about, *hash).await,
        UsersAction::List { json } => list(&admin, *json).await,
        UsersAction::Show { name } => show(&admin, &admin.user_meant(name).await?).await,
        UsersAction::Set { name, about, drop_attribute, drop_group } => {
            let name = &*admin.user_meant(name).await?;
            let change = |user: &mut StoredUser| {
                user.attributes.retain(|name, _| !drop_attribute.contains(name));
                user.groups.retain(|group| !drop_group.contains(group));
                about.put(&mut user.attributes);
                about.put_groups(&mut user.groups);
            };
            set(&admin, name, change).await?;
            done(name, "changed")
        }
        UsersAction::Disable { name } => {
            let name = &*admin.user_meant(name).await?;
            disable(&admin, name, true).await?;
            end(&admin, name, "disabled").await
        }
        UsersAction::Enable { name } => {
            let name = &*admin.user_meant(name).await?;
            disable(&admin, name, false).await?;
            done(name, "enabled")
        }
        UsersAction::SetPassword { name, hash } => {
            // Nobody types a password for nothing; what cannot be read may be the old one.
            let name = &*admin.user_meant(name).await?;
            let directory = admin.directory_for_user(name)?;
            let user = match directory.user(name).await {
                Ok(None) => return Err(failed("user", name, DirectoryError::NotFound)),
                Ok(Some(user)) => User { username: user.username, attributes: user.attributes },
                Err(DirectoryError::Unreadable(_)) => User { username: name.to_owned(), attributes: Map::new() },
                Err(error) => return Err(failed("user", name, error)),
            };
            let password =
                if *hash { input::password_hash()? } else { input::new_password_of(&admin.own_words(&user))? };
            directory.replace_password(name, &password).await.map_err(|error| failed("user", name, error))?;
            end(&admin, name, "has another password").await
        }
        UsersAction::Remove { name } => {
            let name = &*admin.user_meant(name).await?;
            let directory = admin.directory_for_user(name)?;
            if !directory.remove_user(name).await.map_err(|error| failed("user", name, error))? {
                return Err(failed("user", name, DirectoryError::NotFound));
            }
            end(&admin, name, "removed").await
        }
    }
}

async fn add(admin: &Admin, name: &str, about: &About, is_hash: bool) -> Result<(), Failure> {
    let directory = admin.directory_for_user(name)?;
    let explain = |error| failed("user", name, error);
    check_username(name).map_err(|error| explain(error.into()))?;
    check_twins(admin, name).await?;
    let mut user = User { username: name.to_owned(), attributes: Map::new() };
    about.put(&mut user.attributes);
    let password = if is_hash { input::password_hash()? } else { input::new_password_of(&admin.own_words(&user))? };
    let attributes = user.attributes;
    let mut user = StoredUser::new(name, password);
    user.attributes = attributes;
    about.put_groups(&mut user.groups);
    directory.add_user(&user).await.map_err(explain)?;
    done(name, "added")
}

/// That nobody is there whose name looks the same. Other programs may have written any name, and so may the
/// configuration.
async fn check_twins(admin: &Admin, name: &str) -> Result<(), Failure> {
    let known = admin.configured_users.iter().cloned().chain(all_names(admin).await?);
    let seen = visible(name);
    match known.into_iter().find(|known| visible(known) == seen) {
        None => Ok(()),
        Some(same) if same == name => Err(failed("user", name, DirectoryError::Exists)),
        Some(twin) => Err(Failure::other(format!(
            "user {}: {} is there already, which differs only in white space, Unicode form or invisible characters",
            printable(name),
            twin.escape_default(),
        ))),
    }
}

async fn set(admin: &Admin, name: &str, change: impl FnMut(&mut StoredUser) + Send) -> Result<(), Failure> {
    let changed = admin.directory_for_user(name)?.change_user(name, change).await;
    changed.map(drop).map_err(|error| failed("user", name, error))
}

async fn disable(admin: &Admin, name: &str, is_disabled: bool) -> Result<(), Failure> {
    let changed = admin.directory_for_user(name)?.set_user_disabled(name, is_disabled).await;
    changed.map_err(|error| failed("user", name, error))
}

async fn known(admin: &Admin, name: &str) -> Result<StoredUser, Failure> {
    let explain = |error| failed("user", name, error);
    let user = admin.directory_for_user(name)?.user(name).await.map_err(explain)?;
    user.ok_or_else(|| explain(DirectoryError::NotFound))
}

/// Ends what the user has: at once where the store is within reach, else at their next request.
async fn end(admin: &Admin, name: &str, what: &str) -> Result<(), Failure> {
    let Ok(server) = admin.sessions() else {
        return done(name, &format!("{what}; the server ends their sessions within 5 s"));
    };
    let ended = server.end_user(name).await.map_err(|error| {
        // The server's own look at the account ends them all the same.
        Failure::other(format!("user {} {what}, but {}", printable(name), store_failed(error)))
    })?;
    done(name, &format!("{what}; {} ended", output::ended(&ended)))
}

fn done(name: &str, what: &str) -> Result<(), Failure> {
    tracing::info!(username = name, "user {what}");
    say(format_args!("user {} {what}", printable(name)));
    Ok(())
}

/// All users in the directory, by name.
async fn all(admin: &Admin) -> Result<Vec<Result<StoredUser, Unreadable>>, Failure> {
    let page = async |directory: &SqlDirectory, after: &str| directory.users_after(after).await;
    admin.all(|user: &StoredUser| user.username.as_str(), page).await
}

/// The names of all users in the directory.
pub(super) async fn all_names(admin: &Admin) -> Result<Vec<String>, Failure> {
    let users = all(admin).await?.into_iter();
    Ok(users.map(|user| user.map_or_else(|unreadable| unreadable.name, |user| user.username)).collect())
}

async fn list(admin: &Admin, as_json: bool) -> Result<(), Failure> {
    let users = all(admin).await?;
    if as_json {
        let configured = admin.configured_users.iter().map(|name| json!({ "username": name, "in": "configuration" }));
        let users = users.iter().map(|user| match user {
            Ok(user) => text(admin, user),
            Err(entry) => json!({ "username": entry.name, "in": "directory", "unreadable": entry.what }),
        });
        return output::json(&configured.chain(users).collect::<Vec<_>>());
    }
    let configured = admin.configured_users.iter();
    let mut rows: Vec<_> = configured
        .map(|name| {
            [printable(name), "configuration".into(), with_problem("active".into(), name), String::new(), String::new()]
        })
        .collect();
    rows.extend(users.iter().map(|user| match user {
        Ok(user) => {
            let state = with_problem(output::state(is_hidden(admin, user), user.is_disabled), &user.username);
            let changed = output::time(user.changed.as_secs());
            [printable(&user.username), "directory".into(), state, names(&user.groups), changed]
        }
        Err(entry) => {
            [printable(&entry.name), "directory".into(), output::unreadable(entry), String::new(), String::new()]
        }
    }));
    output::table(["USER", "IN", "STATE", "GROUPS", "CHANGED"], &rows);
    Ok(())
}

fn is_hidden(admin: &Admin, user: &StoredUser) -> bool {
    admin.is_configured(&user.username)
}

/// Other programs may write names that could not be added: they are found only by those who type them to the letter.
fn with_problem(state: String, name: &str) -> String {
    match check_username(name) {
        Ok(()) => state,
        Err(why) => format!("{state}; odd name: {why}"),
    }
}

async fn show(admin: &Admin, name: &str) -> Result<(), Failure> {
    output::json(&text(admin, &known(admin, name).await?))
}

fn text(admin: &Admin, user: &StoredUser) -> Value {
    json!({
        "username": user.username,
        "odd_name": check_username(&user.username).err().map(|why| why.to_string()),
        "in": "directory",
        "hidden": is_hidden(admin, user),
        "disabled": user.is_disabled,
        "groups": user.groups,
        "attributes": user.attributes,
        "created": output::time(user.created.as_secs()),
        "changed": output::time(user.changed.as_secs()),
    })
}

fn attribute(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some(("username", _)) => Err("`username` is the user's name, and no attribute"),
        Some((name, text)) if !name.is_empty() => Ok((name.to_owned(), text.to_owned())),
        _ => Err("expected NAME=TEXT"),
    }
}

fn json_attribute(text: &str) -> Result<(String, Value), String> {
    let (name, text) = attribute(text)?;
    let value = serde_json::from_str(&text).map_err(|error| format!("expected NAME=JSON: {error}"))?;
    Ok((name, value))
}
