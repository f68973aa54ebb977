using System.Globalization;
using System.Numerics;
using System.Text.Json;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Contracts.Merkle;

namespace EmrMarket.Contracts.Tests.Batches;

public sealed class WireVectorTests
{
    [Fact]
    public void Batch_ids_equal_the_vectors()
    {
        JsonElement ids = WireVectors.Read("ids.json");
        ulong chainId = ulong.Parse(ids.GetProperty("chainId").GetString()!, CultureInfo.InvariantCulture);
        Address Contract(string name) => Address.Parse(ids.GetProperty("contracts").GetProperty(name).GetString()!);
        Bytes32 schema = Hash(ids, "schemaId");
        JsonElement epoch = ids.GetProperty("epoch");
        Assert.Equal(Hash(epoch, "id"),
            BatchId.Epoch(chainId, Contract("accessControl"), Number(epoch, "site"), schema, Number(epoch, "epoch")));
        JsonElement round = ids.GetProperty("round");
        Assert.Equal(Hash(round, "id"),
            BatchId.Round(chainId, Contract("matching"), schema, Number(round, "ordinal"), Number(round, "attempt")));
        JsonElement delivery = ids.GetProperty("delivery");
        Assert.Equal(
            Hash(delivery, "id"),
            BatchId.Delivery(chainId, Contract("evaluation"), Number(delivery, "requestId"), Number(delivery, "site"),
                Number(delivery, "attempt")));
        JsonElement cell = WireVectors.Read("headers.json").GetProperty("publicCell");
        Assert.Equal(Hash(cell, "hash"), BatchId.PublicCell(cell.GetProperty("text").GetString()!));
        Assert.Equal(Bytes32.Zero, BatchId.PublicCell(""));
    }

    [Fact]
    public void Leaves_equal_the_vectors()
    {
        HashSet<LeafKind> seen = [];
        foreach (JsonElement vector in WireVectors.Read("leaves.json").GetProperty("leaves").EnumerateArray())
        {
            Bytes32 id = Hash(vector, "rootId");
            uint position = Number(vector, "position");
            JsonElement fields = vector.GetProperty("fields");
            LeafKind kind = (LeafKind)vector.GetProperty("kind").GetByte();
            TreeNode leaf = kind switch
            {
                LeafKind.Member => Leaves.Member(id, position, new MemberLeaf(
                    Hash(fields, "pseudonym"), Account(fields, "controller"), Number(fields, "localClass"), Hash(fields, "payoutRoot"),
                    Number(fields, "previousEpoch"), Number(fields, "previousPosition"), Hash(fields, "salt"))),
                LeafKind.Class => Leaves.Class(id, position, new ClassLeaf(
                    Number(fields, "size"), (ushort)Number(fields, "quota"), Integer(fields, "ceilings"), Integer(fields, "highWater"),
                    [.. fields.GetProperty("rates").EnumerateArray()
                        .Select(rate => UInt128.Parse(rate.GetString()!, CultureInfo.InvariantCulture))],
                    Integer(fields, "purposes"), (ulong)Integer(fields, "expiresAt"), Hash(fields, "publicCell"))),
                LeafKind.Price => Leaves.Price(id, position, new PriceLeaf(
                    (UInt128)Integer(fields, "premium"), Number(fields, "supportRequest"), Number(fields, "supportClass"),
                    Number(fields, "rank"))),
                LeafKind.Surplus =>
                    Leaves.Surplus(id, position,
                        new RequestLeaf((UInt128)Integer(fields, "surplus"), fields.GetProperty("dropped").GetBoolean())),
                LeafKind.SalesByClass or LeafKind.SalesByRequest => Leaves.Sales(kind, id, position, Number(fields, "quantity")),
                LeafKind.Delivery => Leaves.Delivery(id, position, new DeliveryLeaf(
                    Number(fields, "localClass"), Number(fields, "memberPosition"), Account(fields, "payoutAddress"),
                    Hash(fields, "reportHash"),
                    (UInt128)Integer(fields, "amount"), (UInt128)Integer(fields, "effective"))),
                LeafKind.Payout => Leaves.Payout(id, position, Account(fields, "payoutAddress")),
                _ => throw new InvalidDataException($"no leaf of kind {kind}"),
            };
            Assert.Equal(new TreeNode(Hash(vector, "hash"), SumWord.FromInteger(Integer(vector, "sum"))), leaf);
            seen.Add(kind);
        }

        Assert.Equal(Enum.GetValues<LeafKind>().Length, seen.Count);
    }

    [Fact]
    public void Drawing_equals_the_vectors()
    {
        JsonElement vectors = WireVectors.Read("feistel.json");
        Assert.Equal(Hash(vectors, "seedCommit"), Drawing.SeedCommit(Hash(vectors, "reveal")));
        Bytes32 seed = Drawing.Seed(Hash(vectors, "reveal"), Hash(vectors, "blockHash"));
        Assert.Equal(Hash(vectors, "seed"), seed);
        foreach (JsonElement permutation in vectors.GetProperty("permutations").EnumerateArray())
        {
            Bytes32 key = Drawing.ClassKey(seed, Number(permutation, "site"), Number(permutation, "localClass"));
            Assert.Equal(Hash(permutation, "key"), key);
            uint size = Number(permutation, "size");
            uint[] image = [.. permutation.GetProperty("image").EnumerateArray().Select(x => x.GetUInt32())];
            Assert.Equal(image, Enumerable.Range(0, (int)size).Select(x => Drawing.Permute(key, size, (uint)x)));
            Assert.Equal(size, (uint)image.Distinct().Count());
        }

        foreach (JsonElement large in vectors.GetProperty("large").EnumerateArray())
        {
            Bytes32 key = Hash(large, "key");
            Assert.Equal(
                large.GetProperty("outputs").EnumerateArray().Select(x => x.GetUInt32()),
                large.GetProperty("inputs").EnumerateArray().Select(x => Drawing.Permute(key, Number(large, "size"), x.GetUInt32())));
        }

        foreach (JsonElement draw in vectors.GetProperty("draws").EnumerateArray())
        {
            Bytes32 key = Drawing.ClassKey(seed, Number(draw, "site"), Number(draw, "localClass"));
            (uint offset, uint lap) = Drawing.Draw(key, Number(draw, "size"), Number(draw, "start"), Number(draw, "offset"));
            Assert.Equal(Number(draw, "lap"), lap);
            Assert.Equal(Number(draw, "memberPosition"), Number(draw, "classStart") + offset);
            Assert.Equal(
                Number(draw, "payoutIndex"),
                Drawing.PayoutIndex(Number(draw, "ordinal"), (ushort)Number(draw, "quota"), lap, (int)Number(draw, "payoutDepth")));
        }
    }

    [Fact]
    public void Commitments_and_signed_messages_equal_the_vectors()
    {
        JsonElement vectors = WireVectors.Read("headers.json");
        JsonElement at = vectors.GetProperty("posting");
        Posting posting = new(Account(at, "committer"), (ulong)Integer(at, "timestamp"), (ulong)Integer(at, "blockNumber"));
        JsonElement e = vectors.GetProperty("epoch").GetProperty("header");
        Epoch epoch = new(
            new EpochHeader(
                Number(e, "site"), Hash(e, "schemaId"), Number(e, "epoch"), (byte)Number(e, "memberDepth"), (byte)Number(e, "classDepth"),
                (byte)Number(e, "payoutDepth"), Number(e, "memberCount"), Number(e, "classCount"), Hash(e, "membersRoot"),
                Hash(e, "classesRoot"), Hash(e, "dataHash")),
            posting);
        Assert.Equal(Hash(vectors.GetProperty("epoch"), "commitment"), Commitment.Of(epoch));
        JsonElement r = vectors.GetProperty("round").GetProperty("header");
        Round round = new(
            new RoundHeader(
                Hash(r, "schemaId"), Number(r, "ordinal"), Number(r, "attempt"), (byte)Number(r, "siteBits"), (byte)Number(r, "classBits"),
                (byte)Number(r, "requestBits"),
                (ulong)Integer(r, "totalSales"), Hash(r, "seedCommit"), Hash(r, "dataHash"), Hash(r, "pricesRoot"), Hash(r, "requestsRoot"),
                Hash(r, "salesByClassRoot"), Hash(r, "salesByRequestRoot")),
            posting);
        Assert.Equal(Hash(vectors.GetProperty("round"), "commitment"), Commitment.Of(round));
        JsonElement d = vectors.GetProperty("delivery").GetProperty("header");
        Delivery delivery = new(
            new DeliveryHeader(
                (ulong)Integer(d, "requestId"), Number(d, "site"), Number(d, "attempt"), (byte)Number(d, "depth"), Number(d, "count"),
                (UInt128)Integer(d, "amount"),
                (UInt128)Integer(d, "effective"), Hash(d, "root"), Hash(d, "dataHash")),
            posting);
        Assert.Equal(Hash(vectors.GetProperty("delivery"), "commitment"), Commitment.Of(delivery));

        ulong chainId = (ulong)Integer(WireVectors.Read("ids.json"), "chainId");
        JsonElement receipt = vectors.GetProperty("receipt");
        Assert.Equal(
            Hash(receipt, "domainSeparator"), SignedMessages.Domain(chainId, Account(receipt, "contract")).Separator);
        Assert.Equal(
            Hash(receipt, "digest"),
            SignedMessages.Receipt(chainId, Account(receipt, "contract"), Hash(receipt, "deliveryId"), delivery.Header));
        JsonElement revocation = vectors.GetProperty("revocation");
        Assert.Equal(
            Hash(revocation, "digest"),
            SignedMessages.Revocation(
                chainId, Account(revocation, "contract"), Number(revocation, "site"), Hash(revocation, "pseudonym")));
    }

    private static uint Number(JsonElement json, string name) => (uint)Integer(json, name);

    private static BigInteger Integer(JsonElement json, string name) =>
        BigInteger.Parse(json.GetProperty(name).ToString(), CultureInfo.InvariantCulture);

    private static Bytes32 Hash(JsonElement json, string name) => Bytes32.Parse(json.GetProperty(name).GetString()!);

    private static Address Account(JsonElement json, string name) => Address.Parse(json.GetProperty(name).GetString()!);
}
