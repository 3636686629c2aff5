//! Who the module is: by the variables of the edge runtime, else by a connection string.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use super::table::{
    API_VERSION, AUTH_SCHEME, BROKER, CA_FILE, CONNECTION_STRING, DEVICE_ID, GATEWAY_HOST,
    GENERATION, HUB_HOST, MODULE_ID, WORKLOAD_URI,
};
use crate::azure::identity::{ID_LEN_MAX, is_host_name, is_id};
use crate::azure::{ConnectionString, Identity, Key};
use crate::hub::workload::Workload;
use crate::mqtt::tls::pem;
use crate::settings::layers::Layers;
use crate::settings::{Spec, values};

/// What an edge device sets for each of its modules; the API version may be missing.
const RUNTIME: [Spec; 7] =
    [WORKLOAD_URI, AUTH_SCHEME, GENERATION, HUB_HOST, GATEWAY_HOST, DEVICE_ID, MODULE_ID];
/// What a developer sets instead; plain TCP needs no roots, so there the first is enough.
const PAIR: [Spec; 2] = [CONNECTION_STRING, CA_FILE];
/// The only scheme: a module gets no other.
const SAS_TOKEN: &str = "sasToken";

/// How the module proves its identity, and whom it trusts.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By its own key, and by roots from a file.
    Key {
        /// The key.
        key: Key,
        /// The only roots; none for plain TCP.
        roots: Vec<CertificateDer<'static>>,
        /// Where they come from, to be read again.
        ca_file: Option<PathBuf>,
    },
    /// By the security daemon of the edge runtime, which signs and has the trust bundle.
    Runtime(Workload),
}

/// Whether anything is set that names an identity, complete or not.
pub(super) fn is_given(layers: &Layers) -> bool {
    RUNTIME.iter().chain(&PAIR).any(|spec| layers.source(spec).is_some())
}

/// The runtime's variables where they are complete, else the pair. Where neither is complete, all
/// that is missing is noted, and what is there is checked all the same.
pub(super) fn resolve(layers: &mut Layers, is_plain: bool) -> Option<(Identity, Proof)> {
    let wanted = if is_plain { &PAIR[..1] } else { &PAIR };
    let (no_runtime, no_pair) = (missing(layers, &RUNTIME), missing(layers, wanted));
    if no_runtime.is_empty() {
        return runtime(layers);
    }
    if no_pair.is_empty() {
        return pair(layers, is_plain);
    }
    let (set_runtime, set_pair) = (no_runtime.len() < RUNTIME.len(), no_pair.len() < wanted.len());
    layers.problem(format!("inside IoT Edge, not set: {}", no_runtime.join(", ")));
    layers.problem(format!("outside of it, not set: {}", no_pair.join(", ")));
    layers.problem(match layers.source(&BROKER) {
        None => format!("without a hub, not set: --{} or {}", BROKER.name, BROKER.env),
        Some(_) => {
            let set = RUNTIME.iter().chain(&PAIR).filter_map(|spec| layers.source(spec));
            let set: Vec<_> = set.collect();
            format!("with the broker alone, without a hub, leave out: {}", set.join(", "))
        }
    });
    if set_runtime {
        runtime(layers);
    }
    if set_pair {
        pair(layers, is_plain);
    }
    None
}

fn missing(layers: &Layers, specs: &[Spec]) -> Vec<&'static str> {
    specs.iter().filter(|spec| layers.source(spec).is_none()).map(|spec| spec.env).collect()
}

fn runtime(layers: &mut Layers) -> Option<(Identity, Proof)> {
    let scheme = layers.optional(&AUTH_SCHEME, |text| {
        if text.eq_ignore_ascii_case(SAS_TOKEN) {
            return Ok(());
        }
        Err(format!(
            "{text:?} is out of scope: a module proves itself by {SAS_TOKEN}, not by a certificate"
        ))
    });
    let address = layers.optional(&WORKLOAD_URI, str::parse);
    let generation = layers.optional(&GENERATION, word);
    let hub = layers.optional(&HUB_HOST, host_name);
    let gateway = layers.optional(&GATEWAY_HOST, host_name);
    let device = layers.optional(&DEVICE_ID, id);
    let module = layers.optional(&MODULE_ID, id);
    let api_version = layers.required(&API_VERSION, word);
    scheme?;
    let module = module?;
    let workload = Workload {
        address: address?,
        api_version: api_version?,
        module: module.clone(),
        generation: generation?,
    };
    let identity = Identity { hub: hub?, gateway: gateway?, device: device?, module: Some(module) };
    Some((identity, Proof::Runtime(workload)))
}

fn pair(layers: &mut Layers, is_plain: bool) -> Option<(Identity, Proof)> {
    let connection = layers.optional(&CONNECTION_STRING, |text| {
        ConnectionString::of_module(text).map_err(values::text)
    });
    let trusted = if is_plain {
        Some((Vec::new(), None))
    } else {
        layers.optional(&CA_FILE, |path| {
            Ok((pem::certificates(Path::new(path))?, Some(PathBuf::from(path))))
        })
    };
    let ConnectionString { identity, key } = connection?;
    let (roots, ca_file) = trusted?;
    Some((identity, Proof::Key { key, roots, ca_file }))
}

fn host_name(text: &str) -> Result<String, String> {
    let good = is_host_name(text).then(|| text.to_owned());
    good.ok_or_else(|| format!("{text:?} is not a host name without scheme, port and path"))
}

/// What the daemon made and takes back as it is; no control character is of it.
fn word(text: &str) -> Result<String, String> {
    match text.contains(char::is_control) {
        true => Err(format!("{text:?} holds a control character: take it out")),
        false => Ok(text.to_owned()),
    }
}

fn id(text: &str) -> Result<String, String> {
    let good = is_id(text).then(|| text.to_owned());
    good.ok_or_else(|| {
        format!("{text:?} is not an id: up to {ID_LEN_MAX} ASCII characters, none of '/', '+', '#'")
    })
}
