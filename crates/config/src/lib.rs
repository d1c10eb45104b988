//! What the user wants: layered configuration, every value with its origin.
