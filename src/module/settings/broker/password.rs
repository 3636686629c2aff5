//! The password, from the URL, a variable or a file.

use std::path::{Path, PathBuf};

use super::super::table::{BROKER, BROKER_PASSWORD, BROKER_PASSWORD_FILE};
use crate::broker::{BrokerAddress, Password};
use crate::host::files::{self, reread::Reread};
use crate::settings::layers::Layers;
use crate::settings::values;

/// Longest file that can hold a password and its newline.
const FILE_BYTES_MAX: u64 = 65_537;

/// The password from the one place that has it.
pub(super) fn resolve(
    layers: &mut Layers,
    address: Option<&BrokerAddress>,
) -> Option<Option<Reread<Password>>> {
    let in_url = address.and_then(BrokerAddress::password).cloned();
    let url = in_url.is_some().then_some(&BROKER);
    let places: Vec<_> = url
        .into_iter()
        .chain([&BROKER_PASSWORD, &BROKER_PASSWORD_FILE])
        .filter_map(|spec| layers.source(spec).map(str::to_owned))
        .collect();
    if places.len() > 1 {
        let places = places.join(", ");
        layers
            .problem(format!("the broker's password is given more than once ({places}): keep one"));
        return None;
    }
    let [place] = places.as_slice() else { return Some(None) };
    if address.is_some_and(|address| address.user().is_none()) {
        layers.problem(format!(
            "{place}: MQTT has no password without a user name: write mqtt://user@host"
        ));
    }
    let given = layers
        .optional(&BROKER_PASSWORD, |text| Password::new(text.to_owned()).map_err(values::text));
    let given = in_url.or(given).map(Reread::from);
    given.or_else(|| layers.optional(&BROKER_PASSWORD_FILE, in_file)).map(Some)
}

/// The password in a file, which is read again for each connection.
fn in_file(path: &str) -> Result<Reread<Password>, String> {
    let path = PathBuf::from(path);
    let password = read_password(&path)?;
    Ok(Reread::new(password, [path.clone()], move |_| read_password(&path).map(Some)))
}

fn read_password(file: &Path) -> Result<Password, String> {
    let path = file.display();
    let text = files::read_text(file, FILE_BYTES_MAX)
        .map_err(|problem| format!("cannot read the password from {path}: {problem}"))?;
    let text = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Password::new(text.to_owned()).map_err(|problem| format!("{path}: {problem}"))
}
