using System.Buffers;
using System.Runtime.InteropServices;
using EmrMarket.Analytics.Mechanisms;
using EmrMarket.Analytics.Mechanisms.Dsw;
using EmrMarket.Analytics.Mechanisms.Olh;
using EmrMarket.Analytics.Schemas;

namespace EmrMarket.Grains.Exchange;

/// <summary>The forms in which reports are stored and sent (docs/WIRE.md, "Report files").</summary>
public enum ReportForm
{
    /// <summary>One byte per report.</summary>
    Codes8,

    /// <summary>Two bytes per report.</summary>
    Codes16,

    /// <summary>ceil(k / 8) bytes per report: bit v, least significant first, says that value v is supported.</summary>
    Sets,

    /// <summary>All multipliers (4 bytes each), all addends (4), all cells (2).</summary>
    Hashes,
}

/// <summary>Columns of reports as bytes, little-endian: the one layout of report files and deliveries.</summary>
public static class ReportColumnFormat
{
    /// <summary>The form of a column's reports.</summary>
    /// <exception cref="ArgumentException">Reports of this kind have no form.</exception>
    public static ReportForm FormOf(Channel channel, ReportColumn reports) => reports switch
    {
        CodeReports => (channel is DswChannel dsw ? dsw.Outputs : channel.DomainSize) <= 256 ? ReportForm.Codes8 : ReportForm.Codes16,
        SetReports => ReportForm.Sets,
        HashReports => ReportForm.Hashes,
        _ => throw new ArgumentException($"Reports of the form {reports?.GetType().Name} have no layout.", nameof(reports)),
    };

    /// <summary>Bytes of one report in a form, for a domain of <paramref name="domainSize"/> values.</summary>
    public static int BytesPerReport(ReportForm form, int domainSize) => form switch
    {
        ReportForm.Codes8 => 1,
        ReportForm.Codes16 => 2,
        ReportForm.Sets => (domainSize + 7) / 8,
        _ => 10,
    };

    /// <summary>All reports of a column.</summary>
    public static void Write(AttributeDefinition attribute, Channel channel, ReportColumn reports, IBufferWriter<byte> to)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(to);
        switch (reports)
        {
            case CodeReports codes when FormOf(channel, codes) == ReportForm.Codes8:
                Span<byte> narrow = to.GetSpan(codes.Count)[..codes.Count];
                for (int i = 0; i < narrow.Length; i++)
                {
                    narrow[i] = checked((byte)codes.Codes[i]);
                }

                to.Advance(codes.Count);
                break;
            case CodeReports codes:
                to.Write(MemoryMarshal.AsBytes<ushort>(codes.Codes));
                break;
            case HashReports hashes:
                to.Write(MemoryMarshal.AsBytes<uint>(hashes.Multipliers));
                to.Write(MemoryMarshal.AsBytes<uint>(hashes.Addends));
                to.Write(MemoryMarshal.AsBytes<ushort>(hashes.Cells));
                break;
            case SetReports sets:
                int width = BytesPerReport(ReportForm.Sets, attribute.Domain.Size);
                for (int i = 0; i < sets.Count; i++)
                {
                    to.Write(MemoryMarshal.AsBytes(sets.Words.AsSpan(i * sets.WordsPerReport, sets.WordsPerReport))[..width]);
                }

                break;
        }
    }

    /// <summary>One report, as it goes into the hash of a delivered record.</summary>
    public static void WriteOne(AttributeDefinition attribute, Channel channel, ReportColumn reports, int index, IBufferWriter<byte> to)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(to);
        switch (reports)
        {
            case CodeReports codes when FormOf(channel, codes) == ReportForm.Codes8:
                to.Write([checked((byte)codes.Codes[index])]);
                break;
            case CodeReports codes:
                to.Write(MemoryMarshal.AsBytes(codes.Codes.AsSpan(index, 1)));
                break;
            case HashReports hashes:
                to.Write(MemoryMarshal.AsBytes(hashes.Multipliers.AsSpan(index, 1)));
                to.Write(MemoryMarshal.AsBytes(hashes.Addends.AsSpan(index, 1)));
                to.Write(MemoryMarshal.AsBytes(hashes.Cells.AsSpan(index, 1)));
                break;
            case SetReports sets:
                to.Write(MemoryMarshal.AsBytes(sets.Words.AsSpan(index * sets.WordsPerReport, sets.WordsPerReport))[
                    ..BytesPerReport(ReportForm.Sets, attribute.Domain.Size)]);
                break;
        }
    }

    /// <summary>Reads as many reports as there are bytes for. Whether the channel can produce them, <see cref="AreOutputs"/>
    /// says.</summary>
    /// <param name="form">The form.</param>
    /// <param name="attribute">The attribute.</param>
    /// <param name="count">Number of reports.</param>
    /// <param name="bytes">Exactly <paramref name="count"/> times <see cref="BytesPerReport"/>.</param>
    public static ReportColumn Read(ReportForm form, AttributeDefinition attribute, int count, ReadOnlySpan<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        switch (form)
        {
            case ReportForm.Codes8:
                return new CodeReports(Array.ConvertAll(bytes.ToArray(), b => (ushort)b));
            case ReportForm.Codes16:
                return new CodeReports(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray());
            case ReportForm.Hashes:
                return new HashReports(
                    MemoryMarshal.Cast<byte, uint>(bytes[..(4 * count)]).ToArray(),
                    MemoryMarshal.Cast<byte, uint>(bytes.Slice(4 * count, 4 * count)).ToArray(),
                    MemoryMarshal.Cast<byte, ushort>(bytes.Slice(8 * count, 2 * count)).ToArray());
            default:
                int width = BytesPerReport(ReportForm.Sets, attribute.Domain.Size), words = (attribute.Domain.Size + 63) / 64;
                ulong[] sets = new ulong[words * count];
                for (int i = 0; i < count; i++)
                {
                    bytes.Slice(i * width, width).CopyTo(MemoryMarshal.AsBytes(sets.AsSpan(i * words, words)));
                }

                return new SetReports(sets, words);
        }
    }

    /// <summary>Whether every report is one that the channel has; a foreign file must not make an estimator read out of bounds.</summary>
    public static bool AreOutputs(AttributeDefinition attribute, Channel channel, ReportColumn reports)
    {
        ArgumentNullException.ThrowIfNull(attribute);
        ArgumentNullException.ThrowIfNull(channel);
        return reports switch
        {
            CodeReports codes => Array.TrueForAll(codes.Codes, c => c < (channel is DswChannel dsw ? dsw.Outputs : channel.DomainSize)),
            SetReports sets => attribute.Domain.Size % 64 is int used
                && (used == 0 || Enumerable.Range(0, sets.Count).All(i => sets.Words[((i + 1) * sets.WordsPerReport) - 1] >> used == 0)),
            HashReports hashes => Array.TrueForAll(hashes.Cells, c => c < ((OlhChannel)channel).Cells),
            _ => false,
        };
    }
}
