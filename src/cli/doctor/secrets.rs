//! What `doctor` says about files that others should not read. Files and credentials that the configuration names are
//! refused by itself where everybody may read them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use toml::Value;

use super::Check;

/// Keys whose value is a secret, where it is a text and not `{ file = … }` or its like.
const SECRET: [&str; 8] = ["secret", "secrets", "admin_token", "token", "password", "bearer", "auth", "cookies"];

/// Feeds and webhooks may be private, and so is what is stored of them.
pub(super) fn in_the_database(file: &Path) -> Option<Check> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let said = format!("{} can be read by others (mode {mode:o}).", file.display());
    (mode & 0o077 != 0).then(|| Check::warning("secrets", said, "chmod 600"))
}

/// A secret that stands in a configuration which everybody may read.
pub(super) fn in_the_configuration(path: &Path) -> Option<Check> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    if mode & 0o007 == 0 {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let found = written_out(None, &Value::Table(text.parse().ok()?))?;
    let said = format!("{} has `{found}` written out, and everybody may read it (mode {mode:o}).", path.display());
    Some(Check::warning(
        "secrets",
        said,
        "put it into a file of its own: { file = … }, or { credential = … } for a systemd service",
    ))
}

/// The first key that holds a secret as a text.
fn written_out(key: Option<&str>, value: &Value) -> Option<String> {
    match value {
        Value::Table(table) => table.iter().find_map(|(key, value)| written_out(Some(key), value)),
        Value::Array(values) => values.iter().find_map(|value| written_out(key, value)),
        Value::String(_) => key.filter(|key| SECRET.contains(key)).map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_written_out_is_found_and_one_that_is_elsewhere_is_not() {
        let found = |text: &str| written_out(None, &Value::Table(text.parse().unwrap()));
        assert_eq!(found("[[webhook]]\nname = \"a\"\nsecret = \"whsec_x\"").as_deref(), Some("secret"));
        assert_eq!(found("[[webhook]]\nsecrets = [\"whsec_x\"]").as_deref(), Some("secrets"));
        assert_eq!(found("[[feed]]\nauth = { password = \"x\" }").as_deref(), Some("password"));
        for elsewhere in ["secret = { file = \"x\" }", "secrets = [{ credential = \"x\" }]", "url = \"http://x/\""] {
            assert_eq!(found(elsewhere), None, "{elsewhere}");
        }
    }
}
