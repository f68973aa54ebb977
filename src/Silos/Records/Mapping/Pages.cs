namespace EmrMarket.Silos.Records.Mapping;

/// <summary>A list that grows by pages, so that growing copies nothing and wastes at most a page. Elements that were never set are the
/// default.</summary>
internal sealed class Pages<T>
{
    private const int Bits = 12;
    private readonly List<T[]?> _pages = [];

    /// <summary>The element, for reading and writing; its page is made where there is none.</summary>
    public ref T this[int index]
    {
        get
        {
            int page = index >> Bits;
            while (_pages.Count <= page)
            {
                _pages.Add(null);
            }

            return ref (_pages[page] ??= new T[1 << Bits])[index & ((1 << Bits) - 1)];
        }
    }

    /// <summary>The element for reading alone: makes no page.</summary>
    public T Peek(int index) => index >> Bits is var page && page < _pages.Count && _pages[page] is { } elements
        ? elements[index & ((1 << Bits) - 1)] : default!;
}
