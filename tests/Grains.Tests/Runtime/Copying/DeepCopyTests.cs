using System.Numerics;
using EmrMarket.Grains.Embedded.Copying;
using Orleans.Serialization;

namespace EmrMarket.Grains.Tests.Runtime.Copying;

public sealed class DeepCopyTests
{
    [Fact]
    public void Copy_equals_the_original_and_shares_nothing_that_can_change()
    {
        var original = new Order
        {
            Name = "a",
            Codes = [1, 2, 3],
            Lines = [new() { Amount = 5 }, new() { Amount = 6 }],
            ByName = new(StringComparer.OrdinalIgnoreCase) { ["x"] = new() { Amount = 7 } },
            Tags = ["t"],
            Maybe = 3,
            Pair = ("p", [1.5]),
        };

        var copy = DeepCopy.Copy(original);

        Assert.NotSame(original, copy);
        Assert.Equal(("a", 3), (copy.Name, copy.Maybe));
        Assert.Equal(original.Codes, copy.Codes);
        Assert.NotSame(original.Codes, copy.Codes);
        Assert.Equal([5, 6], copy.Lines.Select(line => line.Amount));
        Assert.NotSame(original.Lines[0], copy.Lines[0]);
        Assert.Equal(7, copy.ByName["X"].Amount);
        Assert.NotSame(original.ByName["x"], copy.ByName["x"]);
        Assert.Equal(original.Tags, copy.Tags);
        Assert.NotSame(original.Tags, copy.Tags);
        Assert.Equal(original.Pair.Item2, copy.Pair.Item2);
        Assert.NotSame(original.Pair.Item2, copy.Pair.Item2);
    }

    [Fact]
    public void Reference_used_twice_stays_one_and_a_cycle_ends()
    {
        var line = new Line { Amount = 1 };
        var copy = DeepCopy.Copy(new Line[] { line, line });
        Assert.Same(copy[0], copy[1]);
        Assert.NotSame(line, copy[0]);

        var node = new Node();
        node.Next = node;
        var ring = DeepCopy.Copy(node);
        Assert.Same(ring, ring.Next);
        Assert.NotSame(node, ring);
    }

    [Fact]
    public void Immutable_values_are_shared()
    {
        var batch = new FrozenBatch { Codes = [1] };
        var holder = new Holder { Shared = [1, 2] };

        Assert.Same(batch, DeepCopy.Copy(batch));
        Assert.Same(holder.Shared, DeepCopy.Copy(holder).Shared);
        Assert.NotSame(holder, DeepCopy.Copy(holder));
        Assert.True(Copier<(int, string, DateTimeOffset)>.Shares);
        Assert.True(Copier<KeyValuePair<string, BigInteger>>.Shares);
        Assert.True(Copier<Guid?>.Shares);
        Assert.True(Copier<Point>.Shares);
        Assert.False(Copier<(int, int[])>.Shares);
    }

    [Fact]
    public void Derived_value_keeps_its_type_and_its_members()
    {
        Shape original = new Circle { Name = "c", Radius = 2, Marks = [1] };

        var copy = Assert.IsType<Circle>(DeepCopy.Copy(original));

        Assert.Equal(("c", 2), (copy.Name, copy.Radius));
        Assert.NotSame(((Circle)original).Marks, copy.Marks);
        Assert.IsType<Circle>(Assert.Single(DeepCopy.Copy(new Shape[] { original })));
        Assert.IsType<Circle>(DeepCopy.Copy<object>(original));
        Assert.IsType<Circle[]>(DeepCopy.Copy<Shape[]>(new Circle[] { new() }));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(5)]
    public void Null_and_boxed_values_are_copied(object? value) => Assert.Equal(value, DeepCopy.Copy(value));

    [Fact]
    public void Struct_with_changing_members_is_copied_by_member()
    {
        var original = new Window { Cells = [1, 2] };

        var copy = DeepCopy.Copy(original);

        Assert.Equal(original.Cells, copy.Cells);
        Assert.NotSame(original.Cells, copy.Cells);
    }

    public static TheoryData<Type, string> Refused => new()
    {
        { typeof(Unmarked), nameof(Unmarked) },
        { typeof(List<Unmarked>), nameof(Unmarked) },
        { typeof(HoldsUnmarked), nameof(Unmarked) },
        { typeof(FrozenButUnmarked), nameof(FrozenButUnmarked) },
        { typeof(WithoutId), $"{nameof(WithoutId)}.Forgotten" },
        { typeof(IdTwice), "[Id(1)]" },
        { typeof(DerivesFromUnmarked), nameof(Unmarked) },
        { typeof(Action), "System.Action" },
        { typeof(SortedDictionary<int, int>), "System.Collections.Generic.SortedDictionary<System.Int32, System.Int32>" },
        { typeof(int[,]), "System.Int32" },
        { typeof(Task<int>), "System.Threading.Tasks.Task" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void Type_that_no_serializer_could_take_is_refused_by_name_even_while_null(Type type, string name)
    {
        var copy = typeof(DeepCopyTests)
            .GetMethod(nameof(CopyDefault), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!
            .MakeGenericMethod(type)
            .CreateDelegate<Action>();

        Assert.Contains(name, Assert.Throws<CodecNotFoundException>(copy).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Value_of_an_abstract_declaration_is_judged_by_its_own_type()
    {
        var fault = Assert.Throws<CodecNotFoundException>(() => DeepCopy.Copy(new Stream[] { new MemoryStream() }));

        Assert.Contains("System.IO.MemoryStream", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Collection_that_derives_from_a_known_one_is_refused()
    {
        var fault = Assert.Throws<CodecNotFoundException>(() => DeepCopy.Copy(new List<List<int>> { new OwnList() }));

        Assert.Contains(nameof(OwnList), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Exceptions_are_copied_with_what_they_tell()
    {
        var original = Thrown(new OwnException("outer", new KeyNotFoundException("inner")) { Codes = [1, 2] });
        original.Data["list"] = new List<int> { 1 };

        var copy = DeepCopy.Copy(original);

        Assert.NotSame(original, copy);
        Assert.Equal(("outer", original.HResult), (copy.Message, copy.HResult));
        Assert.Equal([1, 2], copy.Codes);
        Assert.NotSame(original.Codes, copy.Codes);
        Assert.Contains(nameof(Thrown), copy.StackTrace, StringComparison.Ordinal);
        Assert.Equal("inner", Assert.IsType<KeyNotFoundException>(copy.InnerException).Message);
        Assert.NotSame(original.InnerException, copy.InnerException);
        Assert.Equal([1], (List<int>)copy.Data["list"]!);
        Assert.NotSame(original.Data["list"], copy.Data["list"]);
    }

    [Fact]
    public void Aggregate_is_copied_with_all_that_it_holds()
    {
        var copy = DeepCopy.Copy(new AggregateException("all", new FormatException("a"), new TimeoutException("b")));

        Assert.Equal(["a", "b"], copy.InnerExceptions.Select(inner => inner.Message));
        Assert.IsType<FormatException>(copy.InnerExceptions[0]);
    }

    [Fact]
    public void Foreign_exception_is_refused_by_name()
    {
        var fault = Assert.Throws<CodecNotFoundException>(() => DeepCopy.Copy<Exception>(new UnmarkedException()));

        Assert.Contains(nameof(UnmarkedException), fault.Message, StringComparison.Ordinal);
    }

    private static void CopyDefault<T>() => Copier<T>.Copy(default!, CopyContext.Rent());

    private static T Thrown<T>(T exception)
        where T : Exception
    {
        try
        {
            throw exception;
        }
        catch (T caught)
        {
            return caught;
        }
    }

    [GenerateSerializer]
    internal sealed class Order
    {
        [Id(0)]
        public required string Name { get; init; }

        [Id(1)]
        public required int[] Codes { get; init; }

        [Id(2)]
        public required List<Line> Lines { get; init; }

        [Id(3)]
        public required Dictionary<string, Line> ByName { get; init; }

        [Id(4)]
        public required HashSet<string> Tags { get; init; }

        [Id(5)]
        public int? Maybe { get; init; }

        [Id(6)]
        public (string, double[]) Pair { get; init; }
    }

    [GenerateSerializer]
    internal sealed class Line
    {
        [Id(0)]
        public int Amount { get; set; }
    }

    [GenerateSerializer]
    internal sealed class Node
    {
        [Id(0)]
        public Node? Next { get; set; }
    }

    [GenerateSerializer, Immutable]
    internal sealed class FrozenBatch
    {
        [Id(0)]
        public int[] Codes { get; init; } = [];
    }

    [GenerateSerializer]
    internal sealed class Holder
    {
        [Id(0), Immutable]
        public int[] Shared { get; init; } = [];
    }

    [GenerateSerializer]
    internal readonly struct Point
    {
        [Id(0)]
        public int X { get; init; }
    }

    [GenerateSerializer]
    internal struct Window
    {
        [Id(0)]
        public int[] Cells { get; set; }
    }

    [GenerateSerializer]
    internal abstract class Shape
    {
        [Id(0)]
        public string Name { get; init; } = "";
    }

    [GenerateSerializer]
    internal sealed class Circle : Shape
    {
        [Id(0)]
        public int Radius { get; init; }

        [Id(1)]
        public List<int> Marks { get; init; } = [];
    }

    [GenerateSerializer]
    internal sealed class OwnException(string message, Exception inner) : Exception(message, inner)
    {
        [Id(0)]
        public int[] Codes { get; init; } = [];
    }

    internal sealed class UnmarkedException : Exception;

    internal class Unmarked
    {
        public int Value { get; set; }
    }

    [GenerateSerializer]
    internal sealed class HoldsUnmarked
    {
        [Id(0)]
        public Unmarked? Inner { get; set; }
    }

    [Immutable]
    internal sealed class FrozenButUnmarked
    {
        public int Value { get; init; }
    }

    [GenerateSerializer]
    internal sealed class WithoutId
    {
        [Id(0)]
        public int Kept { get; set; }

        public int Forgotten { get; set; }
    }

    [GenerateSerializer]
    internal sealed class IdTwice
    {
        [Id(1)]
        public int One { get; set; }

        [Id(1)]
        public int Other { get; set; }
    }

    [GenerateSerializer]
    internal sealed class DerivesFromUnmarked : Unmarked;

    internal sealed class OwnList : List<int>;
}
