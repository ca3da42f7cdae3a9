//! The bar, drills, runbooks and reviews.
