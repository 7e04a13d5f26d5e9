//! `bg_nbd_fit`: repeat buying at an individual rate until a drop-out after a repeat purchase.

use super::aggregate::function;
use super::definition::Definition;
use super::fit::Model;
use super::repeat_buying;
use crate::manual::{Function, Section, page};
use crate::models::geometric::DropOut;

pub(crate) const FUNCTION: Function =
    Function::aggregate("bg_nbd_fit", Section::Fits, page!("bg_nbd_fit"), || function(&BG_NBD))
        .with_rule(|arguments| BG_NBD.check_constants(arguments));

static BG_NBD: Definition<3> = repeat_buying::definition("bg_nbd_fit", Model::BgNbd, |inputs| {
    repeat_buying::fit(Model::BgNbd, DropOut::AfterRepeat, inputs)
});
