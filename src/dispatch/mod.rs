//! Who gets what: editions to their recipients, news of the night to those who watch it, with an outbox in the lake that
//! says what was sent.
