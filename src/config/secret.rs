//! Secrets: a text, or `{ env = "NAME" }`, `{ file = "path" }`, `{ credential = "name" }`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use secrecy::SecretString;
use toml::de::DeValue;

use super::section::Value;
use super::settings::WebhookSecret;
use super::source::{quoted, read_bytes};

/// A secret is a line, not a file.
const MAX_SECRET_BYTES: u64 = 8192;

/// Reads a secret from where it is said to be.
pub(super) fn read(value: &Value<'_>) -> Option<SecretString> {
    plain(value).map(SecretString::from)
}

/// Reads a token, which must not be guessed.
pub(super) fn token(value: &Value<'_>) -> Option<SecretString> {
    let token = plain(value)?;
    if token.len() < 16 {
        return value.refuse(
            format!("The value of `{}` is shorter than 16 characters.", value.key),
            Some("`openssl rand -hex 32` makes a good one".to_owned()),
        );
    }
    Some(SecretString::from(token))
}

fn plain(value: &Value<'_>) -> Option<String> {
    let map = match value.value {
        DeValue::String(text) => return Some(text.as_ref().to_owned()),
        DeValue::Table(map) => map,
        other => return value.wrong_kind("a text, or { env = … }, { file = … }, { credential = … }", other),
    };
    let one = || {
        value.refuse(
            "A secret comes from one of env, file and credential.",
            Some("for example { env = \"NAME\" }".to_owned()),
        )
    };
    let mut pairs = map.iter();
    let (Some((kind, place)), None) = (pairs.next(), pairs.next()) else { return one() };
    let DeValue::String(place) = place.get_ref() else { return one() };
    let section = value.section();
    let found = match kind.get_ref().as_ref() {
        "env" => from_environment(place, &section.environment.variables),
        "file" => from_file(&section.source.folder().join(place.as_ref()), true),
        "credential" => from_credential(place, section.environment.variables.get("CREDENTIALS_DIRECTORY")),
        _ => return one(),
    };
    let hint = (kind.get_ref() == "credential").then(|| {
        format!(
            "systemd brings it: LoadCredential={}:FILE in `systemctl edit feedmill`, then `systemctl restart feedmill`; \
             commands of root read it while the service runs",
            quoted(place)
        )
    });
    match found {
        Ok(secret) => Some(secret),
        Err(why) => value.refuse(why, hint),
    }
}

fn from_environment(name: &str, variables: &std::collections::BTreeMap<String, String>) -> Result<String, String> {
    match variables.get(name) {
        Some(text) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(format!("The environment variable {} is empty.", quoted(name))),
        None => Err(format!("The environment variable {} is not set.", quoted(name))),
    }
}

fn from_credential(name: &str, folder: Option<&String>) -> Result<String, String> {
    let Some(folder) = folder else {
        return Err(format!(
            "There are no systemd credentials here (CREDENTIALS_DIRECTORY is not set), so no {}.",
            quoted(name)
        ));
    };
    if name.contains('/') || name.starts_with('.') {
        return Err(format!("{} is no name of a credential.", quoted(name)));
    }
    // systemd keeps these from everyone else.
    from_file(&PathBuf::from(folder).join(name), false)
}

fn from_file(path: &Path, must_be_private: bool) -> Result<String, String> {
    let (bytes, public) = read_bytes(path, MAX_SECRET_BYTES)?;
    if public && must_be_private {
        let shown = path.display();
        return Err(format!(
            "{shown} holds a secret and everyone on this machine may read it; `chmod o= {shown}` mends that."
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is no text.", path.display()))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(format!("{} is empty.", path.display()));
    }
    Ok(text.to_owned())
}

/// A key to sign with: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0).
pub(super) fn signing_key(value: &Value<'_>) -> Option<WebhookSecret> {
    let hint = || Some("`openssl rand -base64 32` makes one; write whsec_ before it".to_owned());
    let text = plain(value)?;
    let Some(coded) = text.trim().strip_prefix("whsec_") else {
        return value.refuse("A webhook's secret is whsec_ and base64 of 24 to 64 random bytes.", hint());
    };
    match base64::engine::general_purpose::STANDARD.decode(coded) {
        Ok(key) if (24..=64).contains(&key.len()) => Some(WebhookSecret(key)),
        Ok(key) => value.refuse(format!("A webhook's secret has 24 to 64 bytes; this one has {}.", key.len()), hint()),
        Err(_) => value.refuse("What follows whsec_ is no base64.", hint()),
    }
}
