//! `mbg_nbd_fit`: repeat buying at an individual rate until a drop-out, which may follow the first purchase already.

use super::aggregate::function;
use super::definition::Definition;
use super::fit::Model;
use super::repeat_buying;
use crate::manual::{Function, Section, page};
use crate::models::geometric::DropOut;

pub(crate) const FUNCTION: Function =
    Function::aggregate("mbg_nbd_fit", Section::Fits, page!("mbg_nbd_fit"), || function(&MBG_NBD))
        .with_rule(|arguments| MBG_NBD.check_constants(arguments));

static MBG_NBD: Definition<3> = repeat_buying::definition("mbg_nbd_fit", Model::MbgNbd, |inputs| {
    repeat_buying::fit(Model::MbgNbd, DropOut::AfterAny, inputs)
});
