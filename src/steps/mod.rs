//! Steps.
mod render;
mod template;
