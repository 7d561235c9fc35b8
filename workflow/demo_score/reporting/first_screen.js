// Added to Snakemake's report: it opens with one of its results, to which its home button and its menu lead, too.
(() => {
    const answer = results["ANSWER"];

    if (answer) {
        document.title = "Demo-SCORE";
        metadata = { answer: "" };  // where there are any, the report opens with them

        const renderContent = ContentDisplay.prototype.renderContent;
        ContentDisplay.prototype.renderContent = function () {
            if (this.props.app.state.content === "metadata") {
                return e("iframe", { src: answer.data_uri, className: "w-full h-screen" });
            }
            return renderContent.call(this);
        };

        const getHeading = Menu.prototype.getHeading;
        Menu.prototype.getHeading = function () {
            const show = () => this.props.app.setView({ content: "metadata" });
            return [this.getMenuItem("What came out", "home", show), getHeading.call(this)];
        };

        if (app) {  // the page is there already
            app.setView({ content: "metadata" });
        }
    }

    const getData = AbstractResults.prototype.getData;
    AbstractResults.prototype.getData = function () {
        const data = getData.call(this);
        const isSummary = (labels) => labels.some((label) => label.startsWith("summary"));
        data.entryLabelValues.sort((a, b) => isSummary(b) - isSummary(a));  // the rest stays in its order
        return data;
    };
})();
