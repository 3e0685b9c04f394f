//! Connection URLs without what must not print.

use url::Url;

/// The URL with its password masked and its parameters as `hide` leaves them; a text that is no
/// URL shows nothing at all.
pub fn masked(url: &str, hide: impl FnOnce(&mut Url)) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "***".to_owned();
    };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "***".to_owned();
    }
    hide(&mut url);
    url.into()
}
