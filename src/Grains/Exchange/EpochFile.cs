using System.Security.Cryptography;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange.Files;

namespace EmrMarket.Grains.Exchange;

/// <summary>The leaves of a site's epoch as sites, market and auditors mirror them (docs/WIRE.md, "Exchanged files"); their hashes stand on
/// the ledger.</summary>
public sealed class EpochFile
{
    private const string Magic = "EMREPOCH";
    private const uint Version = 1;
    private const int ClassBytes = 4 + 2 + 32 + 32 + (4 * 16) + 32 + 8 + 2;
    private const int MemberBytes = 32 + 20 + 32 + 4 + 4 + 32;

    /// <summary>The site's number.</summary>
    public required uint Site { get; init; }

    /// <summary>The schema.</summary>
    public required Bytes32 SchemaId { get; init; }

    /// <summary>The epoch's number, from 1.</summary>
    public required uint Epoch { get; init; }

    /// <summary>Depth of every member's payout tree, in 0..16.</summary>
    public required byte PayoutDepth { get; init; }

    /// <summary>Classes by index; each holds the next <see cref="ClassLeaf.Size"/> members.</summary>
    public required ClassLeaf[] Classes { get; init; }

    /// <summary>Per class the text of its public cell, empty for none; its hash stands in the class.</summary>
    public required string[] Cells { get; init; }

    /// <summary>Members by position.</summary>
    public required MemberLeaf[] Members { get; init; }

    /// <summary>The bytes. The same leaves give the same bytes.</summary>
    public byte[] Write()
    {
        FileWriter to = new();
        to.UInt32(Site);
        to.Hash(SchemaId);
        to.UInt32(Epoch);
        to.Byte(PayoutDepth);
        to.UInt32((uint)Classes.Length);
        for (int i = 0; i < Classes.Length; i++)
        {
            ClassLeaf leaf = Classes[i];
            to.UInt32(leaf.Size);
            to.UInt16(leaf.Quota);
            to.UInt256(leaf.Ceilings);
            to.UInt256(leaf.HighWater);
            foreach (UInt128 rate in leaf.Rates)
            {
                to.UInt128(rate);
            }

            to.UInt256(leaf.Purposes);
            to.UInt64(leaf.ExpiresAt);
            to.Text(Cells[i]);
        }

        to.UInt32((uint)Members.Length);
        foreach (MemberLeaf member in Members)
        {
            to.Hash(member.Pseudonym);
            to.Address(member.Controller);
            to.Hash(member.PayoutRoot);
            to.UInt32(member.PreviousEpoch);
            to.UInt32(member.PreviousPosition);
            to.Hash(member.Salt);
        }

        return to.ToFile(Magic, Version);
    }

    /// <summary>Reads a file; what it says of classes and members fits together.</summary>
    /// <exception cref="ExchangeFileException">Cut short, altered in its form, of a later version, or its classes do not hold its
    /// members.</exception>
    public static EpochFile Read(ReadOnlyMemory<byte> file)
    {
        FileCursor at = new(file, Magic, Version);
        uint site = at.UInt32();
        Bytes32 schema = at.Hash();
        uint epoch = at.UInt32();
        byte payoutDepth = at.Byte();
        ClassLeaf[] classes = new ClassLeaf[at.Count(ClassBytes)];
        string[] cells = new string[classes.Length];
        long members = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            uint size = at.UInt32();
            ushort quota = at.UInt16();
            var ceilings = at.UInt256();
            var highWater = at.UInt256();
            UInt128[] rates = [at.UInt128(), at.UInt128(), at.UInt128(), at.UInt128()];
            var purposes = at.UInt256();
            ulong expiresAt = at.UInt64();
            cells[i] = at.Text();
            if (size == 0 || quota == 0 || rates.Any(rate => rate >> 96 != 0))
            {
                throw at.Refuse($"class {i} is empty, has no quota, or asks a rate of 2^96 or more");
            }

            classes[i] = new ClassLeaf(size, quota, ceilings, highWater, rates, purposes, expiresAt, BatchId.PublicCell(cells[i]));
            members += size;
        }

        int count = at.Count(MemberBytes);
        if (site == 0 || epoch == 0 || payoutDepth > 16 || count == 0 || members != count)
        {
            throw at.Refuse(
                $"site {site}, epoch {epoch}, payout depth {payoutDepth}: expected at least 1, at least 1 and at most 16; its classes "
                    + $"have {members} members and it holds {count}");
        }

        MemberLeaf[] leaves = new MemberLeaf[count];
        int position = 0;
        for (uint k = 0; k < classes.Length; k++)
        {
            for (uint i = 0; i < classes[k].Size; i++, position++)
            {
                leaves[position] = new MemberLeaf(at.Hash(), at.Address(), k, at.Hash(), at.UInt32(), at.UInt32(), at.Hash());
            }
        }

        at.End();
        return new EpochFile
        {
            Site = site, SchemaId = schema, Epoch = epoch, PayoutDepth = payoutDepth, Classes = classes, Cells = cells, Members = leaves,
        };
    }

    /// <summary>The trees and the header that the ledger has or will have.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="accessControl">The contract DynamicAccessControl.</param>
    /// <param name="fileHash">SHA-256 of the file (<see cref="HashOf"/>).</param>
    public EpochBatch Build(ulong chainId, Address accessControl, Bytes32 fileHash) =>
        EpochBatch.Build(chainId, accessControl, Site, SchemaId, Epoch, PayoutDepth, Classes, Members, fileHash);

    /// <summary>SHA-256 of a file: the name under which it is kept, and the data hash of its header.</summary>
    public static Bytes32 HashOf(ReadOnlySpan<byte> file) => new(SHA256.HashData(file));
}
