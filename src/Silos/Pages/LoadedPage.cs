using Microsoft.AspNetCore.Components;

namespace EmrMarket.Silos.Pages;

/// <summary>A page that is drawn once, when all that it shows has been read: a page of the server's has no use for a half-drawn
/// state.</summary>
public abstract class LoadedPage : ComponentBase
{
    /// <inheritdoc/>
    public override async Task SetParametersAsync(ParameterView parameters)
    {
        parameters.SetParameterProperties(this);
        await LoadAsync();
        await base.SetParametersAsync(ParameterView.Empty);
    }

    /// <summary>Reads what the page shows; its parameters are set.</summary>
    protected abstract Task LoadAsync();
}
