using System.Numerics;
using System.Text;
using EmrMarket.Grains.Embedded.State;
using Orleans.Serialization;

namespace EmrMarket.Grains.Tests.Runtime.State;

public sealed class GrainStateFormatTests
{
    [Fact]
    public void Every_kind_of_member_comes_back_as_it_was_written()
    {
        var id = Guid.NewGuid();
        var state = new Everything
        {
            Name = "ä\"\u0001",
            Count = long.MinValue,
            Wide = BigInteger.Pow(7, 200),
            Ratio = double.NaN,
            Tiny = double.Epsilon,
            At = new DateTimeOffset(2026, 2, 3, 4, 5, 6, TimeSpan.FromHours(5)).AddTicks(7),
            Lasts = TimeSpan.FromTicks(-9),
            Bytes = [0, 255, 128],
            Names = new() { [id] = ["x", "y"] },
            Kind = DayOfWeek.Friday,
            Maybe = null,
            Inner = new() { Amount = UInt128.MaxValue },
        };

        var back = GrainStateFormat<Everything>.Read(GrainStateFormat<Everything>.Write(state));

        Assert.Equal(
            (state.Name, state.Count, state.Wide, state.Ratio, state.Tiny, state.At, state.Lasts, state.Kind, state.Maybe),
            (back.Name, back.Count, back.Wide, back.Ratio, back.Tiny, back.At, back.Lasts, back.Kind, back.Maybe));
        Assert.Equal(state.At.Offset, back.At.Offset);
        Assert.Equal(state.Bytes, back.Bytes);
        Assert.Equal(state.Names[id], back.Names[id]);
        Assert.Equal(state.Inner.Amount, back.Inner!.Amount);
    }

    [Fact]
    public void Members_are_stored_under_their_ids() =>
        Assert.Equal("""{"1":"a","4":2}""", Encoding.UTF8.GetString(GrainStateFormat<Before>.Write(new() { Name = "a", Count = 2 })));

    [Fact]
    public void Renamed_members_keep_their_value_and_added_ones_their_default()
    {
        var stored = GrainStateFormat<Before>.Write(new() { Name = "a", Count = 2 });

        var after = GrainStateFormat<After>.Read(stored);

        Assert.Equal(("a", 2, null), (after.Label, after.Number, after.Added));
    }

    [Fact]
    public void Removed_members_are_skipped()
    {
        var stored = GrainStateFormat<After>.Write(new() { Label = "a", Number = 2, Added = "gone" });

        Assert.Equal("a", GrainStateFormat<Before>.Read(stored).Name);
    }

    [Theory]
    [InlineData(typeof(Open), "sealed")]
    [InlineData(typeof(HoldsObject), "System.Object")]
    [InlineData(typeof(HoldsTuple), "ValueTuple")]
    [InlineData(typeof(HoldsPrivate), "Hidden")]
    [InlineData(typeof(HoldsPrivateSetter), "Value")]
    [InlineData(typeof(HoldsField), "Value")]
    [InlineData(typeof(Derived), "derives from")]
    [InlineData(typeof(HoldsAddress), "System.Net.IPAddress")]
    public void State_that_would_not_come_back_whole_is_refused(Type type, string reason)
    {
        var write = typeof(GrainStateFormat<>).MakeGenericType(type)
            .GetMethod("Write", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!;
        var value = Activator.CreateInstance(type);

        var fault = Assert.Throws<System.Reflection.TargetInvocationException>(() => write.Invoke(null, [value])).InnerException;

        Assert.Contains(reason, Assert.IsType<CodecNotFoundException>(fault).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void State_that_cannot_begin_empty_is_refused() =>
        Assert.Contains("constructor", Assert.Throws<CodecNotFoundException>(GrainStateFormat<WithoutConstructor>.New).Message,
            StringComparison.Ordinal);

    [GenerateSerializer]
    internal sealed class Everything
    {
        [Id(0)]
        public string Name { get; init; } = "";

        [Id(1)]
        public long Count { get; init; }

        [Id(2)]
        public BigInteger Wide { get; init; }

        [Id(3)]
        public double Ratio { get; init; }

        [Id(4)]
        public double Tiny { get; init; }

        [Id(5)]
        public DateTimeOffset At { get; init; }

        [Id(6)]
        public TimeSpan Lasts { get; init; }

        [Id(7)]
        public byte[] Bytes { get; init; } = [];

        [Id(8)]
        public Dictionary<Guid, List<string>> Names { get; init; } = [];

        [Id(9)]
        public DayOfWeek Kind { get; init; }

        [Id(10)]
        public int? Maybe { get; init; } = 5;

        [Id(11)]
        public Inner? Inner { get; init; }
    }

    [GenerateSerializer]
    internal sealed record Inner
    {
        [Id(0)]
        public UInt128 Amount { get; init; }

        public UInt128 Twice => Amount * 2;
    }

    [GenerateSerializer]
    internal sealed class Before
    {
        [Id(1)]
        public required string Name { get; init; }

        [Id(4)]
        public int Count { get; init; }
    }

    [GenerateSerializer]
    internal sealed class After
    {
        [Id(4)]
        public int Number { get; init; }

        [Id(1)]
        public string? Label { get; init; }

        [Id(5)]
        public required string? Added { get; init; }
    }

    [GenerateSerializer]
    internal class Open
    {
        [Id(0)]
        public int Value { get; set; }
    }

    [GenerateSerializer]
    internal sealed class Derived : Open;

    [GenerateSerializer]
    internal sealed class HoldsObject
    {
        [Id(0)]
        public object? Value { get; set; } = 1;
    }

    [GenerateSerializer]
    internal sealed class HoldsTuple
    {
        [Id(0)]
        public (int, int) Value { get; set; }
    }

    [GenerateSerializer]
    internal sealed class HoldsAddress
    {
        [Id(0)]
        public System.Net.IPAddress Value { get; set; } = System.Net.IPAddress.Loopback;
    }

    [GenerateSerializer]
    internal sealed class HoldsPrivate
    {
        [Id(0)]
        private int Hidden { get; set; }

        public int Double => Hidden * 2;
    }

    [GenerateSerializer]
    internal sealed class HoldsPrivateSetter
    {
        [Id(0)]
        public int Value { get; private set; }

        public void Set(int value) => Value = value;
    }

    [GenerateSerializer]
    internal sealed class HoldsField
    {
        [Id(0)]
        public int Value = 1;
    }

    [GenerateSerializer]
    internal sealed class WithoutConstructor(int value)
    {
        [Id(0)]
        public int Value { get; init; } = value;
    }
}
