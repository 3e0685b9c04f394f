//! The whole document.

use actix_web::web::Bytes;
use utoipa::openapi::{Components, Info, License, OpenApi, Paths, Server};

use super::{Endpoint, parameters, security};
use crate::http::{
    docs, fake_gateway, health, idempotency_keys, metrics, opaque, orders, pay, payments,
    transactions, webhooks,
};

/// What holds for every route.
const INTRODUCTION: &str = include_str!("introduction.md");

/// The document as it is served; made once, since it never changes while the service runs.
#[derive(Debug, Clone)]
pub struct Document(Bytes);

impl Document {
    /// Describes every route, those of the gateway where the service plays one, and the keys that
    /// they take where the service asks for them.
    pub fn new(plays_gateway: bool, asks_for_keys: bool) -> Result<Self, serde_json::Error> {
        let mut all = vec![
            payments::documents(),
            idempotency_keys::documents(),
            opaque::documents(),
            pay::documents(),
            orders::documents(),
            webhooks::documents(),
            transactions::documents(),
            health::documents(),
            metrics::documents(),
            super::documents(),
            docs::documents(),
        ];
        if plays_gateway {
            all.push(fake_gateway::documents());
        }
        let json = describe(all.into_iter().flatten(), asks_for_keys).to_json()?;
        Ok(Self(json.into()))
    }

    /// Its JSON.
    pub fn json(&self) -> Bytes {
        self.0.clone()
    }
}

fn describe(endpoints: impl Iterator<Item = Endpoint>, asks_for_keys: bool) -> OpenApi {
    let (mut paths, mut components) = (Paths::new(), Components::new());
    for endpoint in endpoints {
        let (path, item, mut its) = endpoint.finish(asks_for_keys);
        match paths.paths.get_mut(path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.paths.insert(path.to_owned(), item);
            }
        }
        components.schemas.append(&mut its.schemas);
        components.headers.append(&mut its.headers);
    }
    components.parameters.insert("X-Request-Id".to_owned(), parameters::request_id().into());
    if asks_for_keys {
        security::describe(&mut components);
    }
    let mut info = Info::new("Payonce", env!("CARGO_PKG_VERSION"));
    info.description = Some(INTRODUCTION.to_owned());
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    let mut document = OpenApi::new(info, paths);
    document.components = Some(components);
    // The service that the document came from.
    document.servers = Some(vec![Server::new("/")]);
    document
}
