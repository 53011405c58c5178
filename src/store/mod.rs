//! Where bars are kept. Narrow interfaces by use; one hand-written implementation per database.
