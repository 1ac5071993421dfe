//! What was made, or happened, to break a reader: nothing panics, time is linear, complete entries stay.

use proptest::prelude::*;

use super::*;
