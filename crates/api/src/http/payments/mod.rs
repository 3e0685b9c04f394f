//! The canonical payments.

mod answer;
mod create;
mod create_body;
mod events;
mod get;
mod list;
mod view;

pub use answer::final_answer;
pub use create::create;
pub use events::events;
pub use get::get;
pub use list::list;
pub use view::payment_json;
