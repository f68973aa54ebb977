using System.Buffers.Binary;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;

namespace EmrMarket.Simulation.Chain;

/// <summary>
/// One contract, which logs a finding per accepted call, refuses calls of kind <see cref="RefusedKind"/>, and a call of kind
/// <see cref="DependentKind"/> unless a finding of its hash with bit 0 flipped was logged. So what a command did is seen, and how often.
/// </summary>
internal sealed class FindingContract : IContracts
{
    public const byte AcceptedKind = 1;
    public const byte RefusedKind = 2;
    public const byte DependentKind = 3;
    public const ulong GasOfCall = 50_000;

    private readonly List<byte[]> _found = [];

    public static Address Address { get; } = Address.Parse("0x00000000000000000000000000000000000e7a1e");

    /// <summary>The call that records a finding.</summary>
    public static byte[] Call(byte kind, Bytes32 hash) => new DataEvaluation(null!, Address).RecordFinding(1, kind, hash).Data.ToArray();

    /// <summary>How often a finding of a hash was recorded.</summary>
    public int Count(Bytes32 hash) => _found.Count(found => found.AsSpan().SequenceEqual(hash.ToArray()));

    public IContracts Copy()
    {
        FindingContract copy = new();
        copy._found.AddRange(_found);
        return copy;
    }

    public bool Has(Address address) => address == Address;

    public Execution Run(Address sender, Address to, byte[] data, ulong block, ulong seconds)
    {
        byte kind = data[4 + 63];
        byte[] wanted = data[(4 + 64)..];
        wanted[31] ^= 1;
        if (kind != AcceptedKind && (kind != DependentKind || !_found.Exists(found => found.AsSpan().SequenceEqual(wanted))))
        {
            return new Execution(GasOfCall, [], [.. Keccak256.Hash("UnknownSite(uint32)").ToArray().AsSpan(0, 4), .. new byte[32]]);
        }

        byte[] index = new byte[32];
        BinaryPrimitives.WriteInt32BigEndian(index.AsSpan(28), _found.Count);
        byte[] site = new byte[32];
        site[31] = 1;
        _found.Add(data[(4 + 64)..]);
        return new Execution(
            GasOfCall,
            [(Address,
                [FindingRecordedEvent.Topic, new Bytes32(site), new Bytes32(index), new Bytes32([.. new byte[12], .. sender.ToArray()])],
                data[(4 + 32)..])]);
    }
}
