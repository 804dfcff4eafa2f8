//! The detail of a suspended record: the fault, from its own text.

use crate::detail::Facts;
use crate::inputs::given::Inputs;
use crate::inputs::record_text::RecordText;
use crate::reject::Reason;

/// The detail of a suspended record, from its text.
pub(crate) fn detail(text: &RecordText, reason: Reason, facts: &Facts, inputs: &Inputs) -> String {
    let trunks = inputs.trunks.as_ref().map(|(trunks, _)| trunks);
    // No field is taken from a record that was malformed in its file, though it may look readable
    // alone.
    text.with_fields(|fields| match fields.filter(|_| reason != Reason::MalformedRecord) {
        Some(fields) => facts.detail(reason, fields, &inputs.policy, trunks),
        None => text.why_malformed(),
    })
}
