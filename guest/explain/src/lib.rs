//! The bundled frontend `explain`: what Portolan makes of a reference or a platform.
