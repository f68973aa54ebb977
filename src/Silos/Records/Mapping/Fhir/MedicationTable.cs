using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using EmrMarket.Analytics.Records;

namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>
/// The Medications of a load, by the names that references have for them. Of each only what says what it is is kept, and once for all that
/// say the same. Memory: some 40 bytes a name, 200 MB at the most, and 64 MiB of different contents; what is more is refused.
/// </summary>
internal sealed class MedicationTable(MappingLimits limits)
{
    private const int Differs = -1;

    // What a content takes besides its bytes: an array's head, a place in the list and one in the index.
    private const int BytesAround = 64;

    // Names and contents go by 128 bits of SHA-256: no two of them that anybody can find are taken for one.
    private readonly Dictionary<Guid, int> _names = [];
    private readonly Dictionary<Guid, int> _numbers = [];
    private readonly List<byte[]> _contents = [];
    private long _bytes;

    /// <summary>Adds a Medication under a name.</summary>
    /// <param name="name">Its id, or what its bundle calls it.</param>
    /// <param name="json">What it is.</param>
    /// <param name="file">Where it stands, for a refusal.</param>
    /// <param name="line">The line.</param>
    /// <exception cref="InputException">There are more than a load may have.</exception>
    public void Add(string name, ReadOnlySpan<byte> json, string file, long line)
    {
        ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_numbers, Digest(json), out bool isKnown);
        if (!isKnown)
        {
            number = _contents.Count;
            _contents.Add(json.ToArray());
            _bytes += json.Length + BytesAround;
        }

        ref int named = ref CollectionsMarshal.GetValueRefOrAddDefault(_names, Digest(Encoding.UTF8.GetBytes(name)), out isKnown);
        named = isKnown && named != number ? Differs : number;
        if (_names.Count > limits.Medications || _bytes > limits.MedicationBytes)
        {
            throw new InputException(new InputProblem("too-many-medications", file, line, "", string.Create(CultureInfo.InvariantCulture,
                $"there are more than {limits.Medications} names of Medications, or than {limits.MedicationBytes} bytes of different ones"),
                "Load fewer patients at a time, with the Medications to which their resources refer."));
        }
    }

    /// <summary>The Medication of a name, and a number that stands for it; null when there is none.</summary>
    /// <exception cref="Paths.PathException">There are several, which differ.</exception>
    public (int Number, byte[] Json)? Find(string name) => !_names.TryGetValue(Digest(Encoding.UTF8.GetBytes(name)), out int number) ? null
        : number != Differs ? (number, _contents[number])
        : throw new Paths.PathException(IssueCode.MultipleMatches, "the files have several Medications of that name, which differ");

    private static Guid Digest(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return new Guid(hash[..16]);
    }
}
