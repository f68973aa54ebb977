namespace EmrMarket.Silos.Pages;

/// <summary>A leaf that a page's script proves: it asks for the opening, computes the path, and finds the root in what the contract's
/// commitment is the hash of.</summary>
/// <param name="Kind">member or delivery.</param>
/// <param name="Batch">The epoch or delivery.</param>
/// <param name="Position">The leaf.</param>
/// <param name="Committed">Header and posting, ABI-encoded, as hexadecimal digits.</param>
/// <param name="Contract">Who holds the commitment.</param>
/// <param name="Leaf">What the leaf must say.</param>
internal sealed record ProofStep(
    string Kind, string Batch, uint Position, string Committed, string Contract, IReadOnlyDictionary<string, string> Leaf);
