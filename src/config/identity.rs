//! `[identity]`: files of rules on top of ours, and rules that are switched off.

use super::section::{Section, Value};
use super::source::Source;
use crate::identity::canonical::{RuleFile, Rules};

/// Reads it. Ours as they are, where something is wrong: that was said.
pub(super) fn read(section: &Section<'_>) -> Rules {
    let files = section.list("rules", true).unwrap_or_default();
    let off = section.list("off", true).unwrap_or_default();
    // One at a time, so that each mistake is found at its place.
    let files: Vec<RuleFile> = files.iter().filter_map(|value| file(section, value)).collect();
    let off: Vec<String> = off.iter().filter_map(switch).collect();
    Rules::new(&files, &off).unwrap_or_default()
}

fn file(section: &Section<'_>, value: &Value<'_>) -> Option<RuleFile> {
    let path = section.source.folder().join(value.text()?);
    let file = match Source::read(&path) {
        Ok(source) => RuleFile { name: path.display().to_string(), text: source.text },
        Err(mistake) => return value.refuse(format!("{}: {}", path.display(), mistake.message), None),
    };
    match Rules::new(std::slice::from_ref(&file), &[]) {
        Ok(_) => Some(file),
        Err(error) => value.refuse(error.to_string(), None),
    }
}

fn switch(value: &Value<'_>) -> Option<String> {
    let written = value.text()?.trim().to_owned();
    match Rules::new(&[], std::slice::from_ref(&written)) {
        Ok(_) => Some(written),
        Err(error) => value.refuse(error.to_string(), Some("\"www\", or \"www@example.org\" for one host".to_owned())),
    }
}
