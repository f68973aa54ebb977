using System.Buffers;
using System.Runtime.InteropServices;
using EmrMarket.Analytics.Estimation;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Schemas;
using EmrMarket.Contracts.Batches;
using EmrMarket.Contracts.Bindings;
using EmrMarket.Contracts.Ethereum;
using EmrMarket.Grains.Exchange.Files;

namespace EmrMarket.Grains.Exchange;

/// <summary>The reports of one attribute at one grade in a delivery.</summary>
/// <param name="Attribute">The attribute's index in the schema.</param>
/// <param name="Grade">The grade; 0 for a Public attribute.</param>
/// <param name="Slots">The slots that have a report, rising.</param>
/// <param name="Reports">Their reports, in the same order.</param>
public sealed record DeliveryColumn(int Attribute, int Grade, int[] Slots, ReportColumn Reports);

/// <summary>
/// What one site delivers to one request: a leaf per slot and the reports behind them (docs/WIRE.md, "Exchanged files"). All that leaves a
/// site about its records, and only for records that were sold.
/// </summary>
public sealed record DeliveryFile
{
    private const string Magic = "EMRDELIV";
    private const uint Version = 1;
    private const int SlotBytes = 4 + 4 + 20 + 32 + 16 + 16 + 4;

    /// <summary>The request's id on the ledger.</summary>
    public required ulong RequestId { get; init; }

    /// <summary>The site's number.</summary>
    public required uint Site { get; init; }

    /// <summary>0 for the first delivery; one more after each one that was voided.</summary>
    public required uint Attempt { get; init; }

    /// <summary>One per slot that was sold, <see cref="DeliveryBatch.Undelivered"/> where nothing is delivered.</summary>
    public required DeliveryLeaf[] Leaves { get; init; }

    /// <summary>Per slot the number of its person, numbered by first appearance; -1 where nothing is delivered. Records of one person have
    /// one number.</summary>
    public required int[] Persons { get; init; }

    /// <summary>The reports by attribute, then grade.</summary>
    public required IReadOnlyList<DeliveryColumn> Columns { get; init; }

    /// <summary>The bytes. The same delivery gives the same bytes.</summary>
    /// <param name="schema">The schema of the reports.</param>
    public byte[] Write(Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        FileWriter to = new();
        to.UInt64(RequestId);
        to.UInt32(Site);
        to.UInt32(Attempt);
        to.UInt32((uint)Leaves.Length);
        for (int slot = 0; slot < Leaves.Length; slot++)
        {
            DeliveryLeaf leaf = Leaves[slot];
            to.UInt32(leaf.LocalClass);
            to.UInt32(leaf.MemberPosition);
            to.Address(leaf.PayoutAddress);
            to.Hash(leaf.ReportHash);
            to.UInt128(leaf.Amount);
            to.UInt128(leaf.Effective);
            to.UInt32((uint)Persons[slot]);
        }

        to.UInt16((ushort)Columns.Count);
        ArrayBufferWriter<byte> reports = new();
        foreach (DeliveryColumn column in Columns)
        {
            AttributeDefinition attribute = schema.Attributes[column.Attribute];
            Channel channel = ChannelOf(schema, column.Attribute, column.Grade);
            to.UInt16((ushort)column.Attribute);
            to.Byte((byte)column.Grade);
            to.Byte((byte)ReportColumnFormat.FormOf(channel, column.Reports));
            to.UInt32((uint)column.Slots.Length);
            to.Bytes(MemoryMarshal.AsBytes<int>(column.Slots));
            reports.ResetWrittenCount();
            ReportColumnFormat.Write(attribute, channel, column.Reports, reports);
            to.Bytes(reports.WrittenSpan);
        }

        return to.ToFile(Magic, Version);
    }

    /// <summary>Reads a file: its slots, persons and columns fit together, and every report is one that its channel can produce.</summary>
    /// <exception cref="ExchangeFileException">Cut short, altered in its form, of a later version, or of values that cannot be.</exception>
    public static DeliveryFile Read(ReadOnlyMemory<byte> file, Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        FileCursor at = new(file, Magic, Version);
        ulong request = at.UInt64();
        uint site = at.UInt32();
        uint attempt = at.UInt32();
        DeliveryLeaf[] leaves = new DeliveryLeaf[at.Count(SlotBytes)];
        int[] persons = new int[leaves.Length];
        int seen = 0;
        for (int slot = 0; slot < leaves.Length; slot++)
        {
            leaves[slot] = new DeliveryLeaf(at.UInt32(), at.UInt32(), at.Address(), at.Hash(), at.UInt128(), at.UInt128());
            persons[slot] = (int)at.UInt32();
            bool isEmpty = leaves[slot].PayoutAddress == Address.Zero;
            if ((isEmpty && (leaves[slot] != DeliveryBatch.Undelivered || persons[slot] != -1))
                || (!isEmpty && (persons[slot] < 0 || persons[slot] > seen)))
            {
                throw at.Refuse($"slot {slot} is neither empty nor whole, or its person is not numbered by first appearance");
            }

            seen = Math.Max(seen, persons[slot] + 1);
        }

        List<DeliveryColumn> columns = [];
        int count = at.UInt16();
        for (int i = 0; i < count; i++)
        {
            columns.Add(ReadColumn(ref at, schema, leaves));
        }

        at.End();
        return columns.Zip(columns.Skip(1))
            .All(pair => (pair.First.Attribute, pair.First.Grade).CompareTo((pair.Second.Attribute, pair.Second.Grade)) < 0)
            ? new DeliveryFile
            {
                RequestId = request, Site = site, Attempt = attempt, Leaves = leaves, Persons = persons, Columns = columns,
            }
            : throw at.Refuse("its columns are not in the order of attribute and grade");
    }

    /// <summary>The tree and the header that the ledger has or will have.</summary>
    /// <param name="chainId">The chain.</param>
    /// <param name="evaluation">The contract DataEvaluation.</param>
    /// <param name="fileHash">SHA-256 of the file.</param>
    public DeliveryBatch Build(ulong chainId, Address evaluation, Bytes32 fileHash) =>
        DeliveryBatch.Build(chainId, evaluation, RequestId, Site, Attempt, Leaves, fileHash);

    /// <summary>
    /// Per slot what its leaf must hold: keccak of the pseudonym and, for each attribute that the slot has a report of in the order of the
    /// schema, the grade in one byte and the report; zero where nothing is delivered.
    /// </summary>
    /// <param name="schema">The schema of the reports.</param>
    /// <param name="pseudonymOf">The pseudonym of the member in a slot.</param>
    public Bytes32[] ReportHashes(Schema schema, Func<int, Bytes32> pseudonymOf)
    {
        ArgumentNullException.ThrowIfNull(schema);
        ArgumentNullException.ThrowIfNull(pseudonymOf);
        Channel[] channels = [.. Columns.Select(column => ChannelOf(schema, column.Attribute, column.Grade))];
        int[][] places = [.. Columns.Select(column => PlaceBySlot(column.Slots))];
        Bytes32[] hashes = new Bytes32[Leaves.Length];
        Parallel.For(0, Leaves.Length, () => new ArrayBufferWriter<byte>(), (slot, _, preimage) =>
        {
            if (Leaves[slot].PayoutAddress != Address.Zero)
            {
                preimage.ResetWrittenCount();
                preimage.Write(pseudonymOf(slot).ToArray());
                for (int c = 0; c < channels.Length; c++)
                {
                    if (places[c][slot] >= 0)
                    {
                        preimage.Write([(byte)Columns[c].Grade]);
                        ReportColumnFormat.WriteOne(
                            schema.Attributes[Columns[c].Attribute], channels[c], Columns[c].Reports, places[c][slot], preimage);
                    }
                }

                hashes[slot] = Keccak256.Hash(preimage.WrittenSpan);
            }

            return preimage;
        }, _ => { });
        return hashes;
    }

    /// <summary>The delivered reports as estimators take them: one batch per combination of grades. Persons are numbered within the
    /// delivery.</summary>
    public IReadOnlyList<ReportBatch> ToReportBatches(Schema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        int[][] places = [.. Columns.Select(column => PlaceBySlot(column.Slots))];
        return [.. Enumerable.Range(0, Leaves.Length)
            .Where(slot => Persons[slot] >= 0)
            .GroupBy(slot => places.Aggregate(new UInt128(0, 1), (key, place) => (key << 1) | (place[slot] >= 0 ? 1u : 0u)))
            .Select(group => Batch(schema, places, [.. group]))
            .OfType<ReportBatch>()];
    }

    /// <summary>The channel of an attribute at a grade: public knowledge.</summary>
    public static Channel ChannelOf(Schema schema, int attribute, int grade)
    {
        ArgumentNullException.ThrowIfNull(schema);
        AttributeDefinition definition = schema.Attributes[attribute];
        return definition.Mechanism is null
            ? new PublicChannel(definition.Domain.Size)
            : MechanismCatalogue.Get(definition.Mechanism).CreateLadder(definition.Domain, schema.Grades)[grade];
    }

    private ReportBatch? Batch(Schema schema, int[][] places, int[] slots)
    {
        AttributeReports[] reports = [
            .. Enumerable.Range(0, Columns.Count).Where(c => places[c][slots[0]] >= 0).Select(c => new AttributeReports(
            schema.Attributes[Columns[c].Attribute], Columns[c].Grade, ChannelOf(schema, Columns[c].Attribute, Columns[c].Grade),
            Columns[c].Reports.Take([.. slots.Select(slot => places[c][slot])])))];
        return reports.Length == 0 ? null : new ReportBatch(reports, [.. slots.Select(slot => Persons[slot])]);
    }

    private int[] PlaceBySlot(int[] slots)
    {
        int[] places = new int[Leaves.Length];
        Array.Fill(places, -1);
        for (int i = 0; i < slots.Length; i++)
        {
            places[slots[i]] = i;
        }

        return places;
    }

    private static DeliveryColumn ReadColumn(ref FileCursor at, Schema schema, DeliveryLeaf[] leaves)
    {
        int index = at.UInt16();
        int grade = at.Byte();
        var form = (ReportForm)at.Byte();
        int[] slots = at.Array<int>(at.Count(4));
        AttributeDefinition? attribute = index < schema.Attributes.Count ? schema.Attributes[index] : null;
        if (attribute is null || grade > schema.Grades.Count || (attribute.Mechanism is null) != (grade == 0) || form > ReportForm.Hashes)
        {
            throw at.Refuse(
                $"it has a column of attribute {index} at grade {grade} in form {form}, which schema '{schema.Name}' does not know");
        }

        for (int i = 0; i < slots.Length; i++)
        {
            if (slots[i] < 0 || slots[i] >= leaves.Length || (i > 0 && slots[i] <= slots[i - 1])
                || leaves[slots[i]].PayoutAddress == Address.Zero)
            {
                throw at.Refuse($"the slots of '{attribute.Name}' at grade {grade} do not rise, or one of them is empty");
            }
        }

        Channel channel = ChannelOf(schema, index, grade);
        ReportColumn reports = ReportColumnFormat.Read(
            form, attribute, slots.Length, at.Bytes((long)slots.Length * ReportColumnFormat.BytesPerReport(form, attribute.Domain.Size)));
        return ReportColumnFormat.FormOf(channel, reports) == form && ReportColumnFormat.AreOutputs(attribute, channel, reports)
            ? new DeliveryColumn(index, grade, slots, reports)
            : throw at.Refuse($"a report of '{attribute.Name}' at grade {grade} is none that its channel can produce");
    }
}
