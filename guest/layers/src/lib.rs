//! The bundled frontend `layers`: layers, diff-ids, chain-ids and sizes.
