//! From purchases to the input of models.
