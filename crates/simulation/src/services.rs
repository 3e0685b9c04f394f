//! Whom the clients ask: a running service, or one of their own with an unstable gateway beside it.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use url::Url;

use crate::books::Books;
use crate::process::Process;
use crate::run::Surroundings;
use crate::wire::{Service, below};
use crate::{Failure, Options};

/// How long a charge takes at a gateway of its own.
const LATENCY: [(&str, &str); 2] =
    [("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", "5ms"), ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", "60ms")];

/// The service, its gateway's books, and the processes that were started for it.
#[derive(Debug)]
pub struct Services {
    /// Who is asked.
    pub service: Service,
    /// Who tells what was charged; none where nobody is known to.
    pub books: Option<Books>,
    /// For people.
    pub description: Vec<String>,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    service: Process,
    gateway: Process,
    folder: TempDir,
}

impl Services {
    /// Finds or starts them.
    pub async fn prepare(options: &Options, around: &Surroundings) -> Result<Self, Failure> {
        match &options.url {
            Some(url) => Self::find(url, options).await,
            None => Self::start(options, around).await,
        }
    }

    async fn find(url: &Url, options: &Options) -> Result<Self, Failure> {
        let service = Service::new(url, options.api_key.as_deref())?;
        service.check().await?;
        let books = options.gateway_url.as_ref().map(Books::new).transpose()?;
        let mut description = vec![format!("the service at {}", without_secrets(url))];
        if let (Some(books), Some(url)) = (&books, &options.gateway_url) {
            books.check().await?;
            description.push(format!("its gateway at {}", without_secrets(url)));
        }
        Ok(Self { service, books, description, own: None })
    }

    async fn start(options: &Options, around: &Surroundings) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("payonce-simulation-").tempdir();
        let folder = folder.map_err(|error| Failure::failed("making a temporary folder", error))?;
        let file = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let rate = options.share_of_failures();

        let mut gateway = Command::new(&around.binary);
        for (name, _) in std::env::vars_os() {
            let is_setting = name.to_string_lossy().starts_with("PAYONCE");
            if is_setting || ["DATABASE_URL", "REDIS_URL"].contains(&&*name.to_string_lossy()) {
                gateway.env_remove(name);
            }
        }
        gateway.args(["serve", "--no-workers"]).env("DATABASE_URL", file("gateway.db"));
        gateway.env("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", rate.to_string()).envs(LATENCY);
        let gateway = Process::start("the gateway", gateway, folder.path()).await?;

        let gateway_url = below(&gateway.base, "fake-gateway");
        let configured = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        let database = options.database_url.clone().or(configured);
        let store = match &database {
            None => "SQLite, in a file that goes at the end",
            Some(url) if url.starts_with("postgres") => "PostgreSQL",
            Some(_) => "SQLite",
        };
        let mut service = Command::new(&around.binary);
        service.args(around.files.iter().flat_map(|file| ["--config".into(), file.clone()]));
        service.arg("serve").env_remove("PAYONCE_API_KEY").env_remove("PAYONCE_CONFIG");
        service.env("DATABASE_URL", database.unwrap_or_else(|| file("payonce.db")));
        service.env("PAYONCE__GATEWAY__KIND", "http");
        service.env("PAYONCE__GATEWAY__HTTP__BASE_URL", gateway_url.as_str());
        let service = Process::start("the service", service, folder.path()).await?;

        let asked = Service::new(&service.base, options.api_key.as_deref())?;
        asked.check().await?;
        let description = vec![
            format!("a service of its own, {store}"),
            format!("its gateway: {:.0} % of charges fail, 5 to 60 ms each", rate * 100.0),
        ];
        let books = Some(Books::new(&gateway_url)?);
        Ok(Self { service: asked, books, description, own: Some(Own { service, gateway, folder }) })
    }

    /// Ends what was started. Where it `is_needed`, what the processes wrote is kept: its folder.
    pub async fn end(self, is_needed: bool) -> Option<PathBuf> {
        let Own { service, gateway, folder } = self.own?;
        service.stop().await;
        gateway.stop().await;
        is_needed.then(|| folder.keep())
    }
}

fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    match url.set_username("").and_then(|()| url.set_password(None)) {
        // An address that can have neither has none.
        Ok(()) | Err(()) => url.set_query(None),
    }
    url
}
