//! Creates the tables of `template.yaml`.
