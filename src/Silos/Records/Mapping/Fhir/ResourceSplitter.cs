using EmrMarket.Silos.Records.Mapping.Fhir.Files;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>Takes what a file holds apart into resources: one for itself, an entry of a bundle, or all entries of a bundle that is a line
/// of NDJSON.</summary>
internal abstract class ResourceSplitter(MappingLimits limits) : IResourceSink
{
    /// <summary>How many resources the file had so far, readable or not.</summary>
    protected long Index { get; private set; }

    /// <summary>The resource that was read last, with all that is around it.</summary>
    protected ResourceTree Tree { get; } = new(limits.Depth);

    /// <inheritdoc/>
    public void TooLarge(long line, long offset) => TakeFault(
        new ResourceFault(IssueCode.TooLong, 0, "", "the resource is larger than a resource may be"), line, offset, ++Index);

    /// <inheritdoc/>
    public void Take(ReadOnlySpan<byte> json, bool isEntry, long line, long offset)
    {
        long index = ++Index;
        if (IsOfNoUse(json))
        {
            return;
        }

        if (Tree.Parse(json) is { } fault)
        {
            int at = (int)Math.Min(fault.Offset, json.Length);
            TakeFault(fault, line + json[..at].Count((byte)'\n'), offset + at, index);
        }
        else if (isEntry)
        {
            TakeEntry(0, line, offset, index);
        }
        else if (Tree.TextMember(0, "resourceType"u8) == "Bundle" && Tree.Member(0, "entry"u8) is >= 0 and var entries)
        {
            Index--;
            for (int entry = ResourceTree.First(entries); entry < Tree.End(entries); entry = Tree.End(entry))
            {
                TakeEntry(entry, line, offset, ++Index);
            }
        }
        else
        {
            TakeResource(0, null, line, offset, index);
        }
    }

    /// <summary>Begins a file.</summary>
    protected void Begin() => Index = 0;

    /// <summary>Whether bytes need not be read at all, to all appearance.</summary>
    protected virtual bool IsOfNoUse(ReadOnlySpan<byte> json) => false;

    /// <summary>Takes a resource.</summary>
    /// <param name="root">Its node.</param>
    /// <param name="fullUrl">The name that its bundle gives it; null for none.</param>
    /// <param name="line">Its line.</param>
    /// <param name="offset">Bytes before it.</param>
    /// <param name="index">The how many-eth of its file it is, from 1.</param>
    protected abstract void TakeResource(int root, string? fullUrl, long line, long offset, long index);

    /// <summary>Is told of what is no resource.</summary>
    protected abstract void TakeFault(ResourceFault fault, long line, long offset, long index);

    private void TakeEntry(int entry, long line, long offset, long index)
    {
        if (Tree.Kind(entry) != NodeKind.Object)
        {
            TakeFault(new ResourceFault(IssueCode.Structure, 0, "Bundle.entry", "the bundle's entry is no object"), line, offset, index);
        }
        else if (Tree.Member(entry, "resource"u8) is >= 0 and var resource)
        {
            TakeResource(resource, Tree.TextMember(entry, "fullUrl"u8), line, offset, index);
        }

        // An entry without a resource only says what a server is to do.
    }
}
